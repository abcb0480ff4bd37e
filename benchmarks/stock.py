"""Stock Dagster as its documentation deploys it: web server, gRPC code servers, daemon, Postgres.

Nothing is slowed down for it. Its Postgres is the same binary with the same settings as the node's, and
trusts local connections, so that stock, which opens a connection per operation, pays no password exchange
each time (the node pays it, on pooled connections).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from benchmarks.graphql import GraphQLClient, GraphQLError
from benchmarks.process_group import ProcessGroup, make_group
from benchmarks.run_table import RunTable
from benchmarks.side import (
    READY_SECONDS,
    Side,
    SideError,
    end_process,
    free_port,
    log_tails,
    start_process,
    wait_for,
)
from phems.adapters.postgres.embedded import ADMIN, EmbeddedPostgres

COORDINATORS = {
    "none": "run_coordinator:\n  module: dagster._core.run_coordinator\n  class: DefaultRunCoordinator\n",
    "default": "",  # what Dagster takes when nothing is said: its run queue, with its own settings
}
_INSTANCE = """\
storage:
  postgres:
    postgres_url:
      env: BENCH_DATABASE
telemetry:
  enabled: false
"""
_LOCATION = """\
  - grpc_server:
      host: localhost
      socket: {socket}
      location_name: {name}
"""


@dataclass(frozen=True)
class CodeLocation:
    """One project: the folder that is put on the path and the module with its definitions."""

    name: str
    root: Path
    module: str


Command = Sequence[str | Path]


def start_stock(
    locations: list[CodeLocation],
    *,
    queue: str,
    with_daemon: bool,
    beside: Mapping[str, Command] | None = None,
) -> Side:
    """Start a stock deployment with nothing in it but these code locations; `queue` as in COORDINATORS.

    `beside` are programs of this environment that run with the same instance, by name.
    """
    closing = ExitStack()
    try:
        return _start(closing, locations, queue, beside or {}, with_daemon=with_daemon)
    except BaseException:
        closing.close()
        raise


def _start(
    closing: ExitStack,
    locations: list[CodeLocation],
    queue: str,
    beside: Mapping[str, Command],
    *,
    with_daemon: bool,
) -> Side:
    folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="phems-bench-")))
    folder.chmod(0o755)  # Postgres runs under an account of its own when this is run as root
    group = make_group("stock")
    closing.callback(group.close)
    address = _start_postgres(closing, group, folder)
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(_INSTANCE + COORDINATORS[queue])
    sockets = {location.name: folder / f"{location.name}.sock" for location in locations}
    workspace = folder / "workspace.yaml"
    entries = [_LOCATION.format(name=name, socket=socket) for name, socket in sockets.items()]
    workspace.write_text("load_from:\n" + "".join(entries))
    programs = Path(sys.executable).parent
    environment = {**os.environ, "DAGSTER_HOME": str(home), "BENCH_DATABASE": address}
    environment["PATH"] = f"{programs}:{os.environ['PATH']}"  # dagster-celery looks there for celery
    logs = folder / "logs"

    def start(name: str, *words: str | Path) -> None:
        process = start_process([programs / words[0], *words[1:]], logs / f"{name}.log", environment, folder)
        closing.callback(end_process, process)
        group.adopt(process.pid)

    # The tables first and by one process alone: several that make them get in each other's way.
    _make_tables(programs / "dagster", environment, folder)
    for location in locations:
        where: list[str | Path] = ["-m", location.module, "-d", location.root, "-s", sockets[location.name]]
        start(f"code-{location.name}", "dagster", "api", "grpc", *where, "--location-name", location.name)
    port = free_port()
    client = GraphQLClient(f"http://127.0.0.1:{port}", {})
    try:
        wait_for(lambda: all(socket.exists() for socket in sockets.values()), "the code servers' start")
        start("web-server", "dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-w", workspace)
        client.wait_until_loaded({location.name for location in locations}, READY_SECONDS)
        for name, words in beside.items():
            start(name, *words)
        if with_daemon:
            start("daemon", "dagster-daemon", "run", "-w", workspace)
            wait_for(lambda: _daemon_is_healthy(client), "the daemon's heartbeat")
    except (GraphQLError, SideError) as error:
        raise SideError(f"stock Dagster does not start: {error}", log_tails(logs)) from error
    runs = RunTable(address)
    closing.callback(runs.close)
    return Side("stock", locations[0].name, client, runs, group, address, closing)


def _start_postgres(closing: ExitStack, group: ProcessGroup, folder: Path) -> str:
    data = folder / "database" / "postgres"
    runtime_dir = Path("/tmp") / f"phems-bench-{os.getpid()}"  # noqa: S108 (a socket's path must be short)
    closing.callback(_remove_folder, runtime_dir)
    server = EmbeddedPostgres(data=data, runtime_dir=runtime_dir, admin_password="not used")  # noqa: S106
    closing.callback(server.stop)
    server.start()
    assert server.pid is not None
    group.adopt(server.pid)
    (data / "pg_hba.conf").write_text("local all all trust\n")
    os.kill(server.pid, signal.SIGHUP)
    address = f"postgresql://{ADMIN}@/{{name}}?host={server.socket_dir}&port=5432"

    def made() -> bool:
        try:
            connection = psycopg2.connect(address.format(name="postgres"))
        except psycopg2.OperationalError:
            return False  # the new rules are not read yet
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE stock")
        connection.close()
        return True

    wait_for(made, "the database of stock Dagster")
    return address.format(name="stock")


def _make_tables(dagster: Path, environment: Mapping[str, str], folder: Path) -> None:
    command = [str(dagster), "instance", "migrate"]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=dict(environment), cwd=folder
    )
    if done.returncode != 0:
        raise SideError("stock Dagster does not make its tables", done.stderr[-2000:])


def _daemon_is_healthy(client: GraphQLClient) -> bool:
    query = '{ instance { daemonHealth { daemonStatus(daemonType: "QUEUED_RUN_COORDINATOR") { healthy } } } }'
    try:
        answer: Mapping[str, dict[str, dict[str, dict[str, bool]]]] = client.ask(query, {})
    except (OSError, GraphQLError):
        return False
    return bool(answer["instance"]["daemonHealth"]["daemonStatus"]["healthy"])


def _remove_folder(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
