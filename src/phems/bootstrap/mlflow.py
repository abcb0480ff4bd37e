"""The MLflow servers of a node's projects, wired: what each stands on, and what steps ask of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from phems.adapters.mlflow.database_relay import SOCKET, DatabaseRelay, way_to
from phems.adapters.mlflow.file_door import FileDoor, Files
from phems.adapters.mlflow.process import ServerPlan, check_installed
from phems.adapters.mlflow.requests import Exchange, ask
from phems.adapters.mlflow.servers import MlflowServers
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.mlflow_schemas import address_of, bring_about
from phems.adapters.secret_keys import load_or_create_secret
from phems.contract.mlflow import prefix_of
from phems.nodespec import NodePaths, NodeSpec

SOCKET_PORT = SOCKET.rpartition(".")[2]


def check_mlflow(spec: NodeSpec) -> None:
    """Raise `InputError` when a project has MLflow on and the extra is not installed."""
    for project in spec.projects_with_mlflow()[:1]:
        check_installed(project)


def provision_mlflow(database: Database, spec: NodeSpec, paths: NodePaths) -> None:
    """Make the schemas of all servers, by an administrator's address."""
    for project in spec.projects_with_mlflow():
        bring_about(database, project, load_or_create_secret(paths.mlflow_key))


def mlflow_servers_of(
    spec: Callable[[], NodeSpec],
    paths: NodePaths,
    database: Database,
    shared_files: Callable[[str], Files | None],
) -> MlflowServers:
    """The servers of a process; none is started yet. `shared_files` is for those that lie in no folder."""

    def is_on(project: str) -> bool:
        found = spec().projects.get(project)
        return found is not None and found.mlflow

    @contextmanager
    def grounds(project: str) -> Iterator[ServerPlan]:
        now, secret = spec(), load_or_create_secret(paths.mlflow_key)
        bring_about(database, project, secret)
        # A project's name may be longer than the path of a socket has room for.
        run_dir = paths.runtime_dir / "mlflow" / hashlib.sha256(project.encode()).hexdigest()[:12]
        files = shared_files(project)
        artifacts = paths.mlflow(project) if files is None else run_dir / "files"
        ways = run_dir / "database"
        for folder in (ways, run_dir / "http", artifacts):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        address = address_of(database, project, secret)
        inside = address.set(drivername="postgresql+psycopg2", host=None, port=None, query={})
        inside = inside.update_query_dict({"port": SOCKET_PORT, "sslmode": "disable"})
        with (
            DatabaseRelay(ways, way_to(database.base, database.settings.tls)),
            nullcontext() if files is None else FileDoor(artifacts, files),
        ):
            yield ServerPlan(
                project=project,
                prefix=prefix_of(project),
                run_dir=run_dir / "http",
                artifacts=artifacts,
                database_dir=ways,
                database=inside,
                has_file_door=files is not None,
                # Without one it has this process's rights, which in a pod are more than project code has.
                needs_sandbox=now.profile == "kubernetes" or now.policy_of(project).sandbox == "required",
                log_file=paths.logs / "mlflow" / f"{project}.log",
            )

    return MlflowServers(is_on, grounds)


class MlflowOfSteps:
    """See `engine.mlflow_calls.StepsMlflow`."""

    def __init__(self, servers: MlflowServers, spec: Callable[[], NodeSpec]) -> None:
        self._servers = servers
        self._spec = spec

    def begin(
        self, project: str, method: str, target: str, headers: Mapping[str, str], length: int
    ) -> Exchange:
        """Begin a request of a step."""
        return Exchange(self._servers, project, method, target, headers, length)

    def ask(self, project: str, method: str, path: str, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """Ask something of the node's own."""
        return ask(self._servers, project, method, path, question)

    def longest_body(self, project: str) -> int:
        """As large as a file that a step of the project may write."""
        return int(self._spec().project(project).resources.file_size)
