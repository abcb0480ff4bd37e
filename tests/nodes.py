"""Nodes for tests: a Node Repo and Code Repos in a folder, served for real, asked as people ask.

`NodeSite` writes node.yaml and Code Repos; `RunningNode` serves them and asks Dagster's own GraphQL
schema over the node's workspace, as the web UI does. Nothing here sleeps: every wait is for a
condition, is woken by Postgres NOTIFY, and has a deadline.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dagster import DagsterEvent, DagsterRun, DagsterRunStatus
from tests.folders import open_folder
from tests.made_databases import give_database

from phems.adapters.postgres.dagster_storage import EVENT_CHANNEL
from phems.adapters.postgres.notifications import Notifications
from phems.domain.actors import Actor
from phems.engine.admission_point import requester
from phems.engine.hosts import HostState, HostStatus
from phems.serve import ServingNode

T = TypeVar("T")
ANALYST, OWNER = Actor("ana"), Actor("wei")
LOOK_AGAIN_SECONDS = 0.05
MEMBERS = {
    "data_analyst": ["ana"],
    "output_checker": ["carol", "dmitri", "esra"],
    "information_asset_owner": ["wei"],
}


@dataclass
class NodeSite:
    """A Node Repo in `folder`, and the Code Repos of its projects beside it."""

    folder: Path
    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def node_folder(self) -> Path:
        """Where node.yaml lies."""
        return self.folder / "node"

    def add_project(self, name: str, files: Mapping[str, str] | Path, **settings: Any) -> None:
        """A project with a Code Repo of `files`, a mapping of paths to texts or a folder to copy."""
        repo = self.folder / f"{name}-code"
        repo.mkdir(parents=True)
        git(repo, "init", "-q", "-b", "main")
        if isinstance(files, Path):
            shutil.copytree(files, repo, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            files = {}
        self.commit(name, files)
        self.projects[name] = {
            "code": {"repo": f"../{name}-code"},
            "members": MEMBERS,
            "queue": {"concurrency": 4, "runs": 20},
            "resources": {"memory": "4GiB"},
            **settings,
        }
        self.write()

    def commit(self, name: str, files: Mapping[str, str]) -> str:
        """A further commit of a project's Code Repo; gives its name."""
        repo = self.folder / f"{name}-code"
        for path, text in files.items():
            place = repo / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", "Change")
        return git(repo, "rev-parse", "HEAD")

    def write(self) -> None:
        """Write node.yaml (as JSON, which is YAML)."""
        self.node_folder.mkdir(parents=True, exist_ok=True)
        document = {
            "version": 1,
            "node": {"name": "test-node"},
            "controller": {"name": "Test Hospital"},
            "profile": "embedded",
            "projects": self.projects,
            **self.settings,
        }
        (self.node_folder / "node.yaml").write_text(json.dumps(document, indent=2))


def git(repo: Path, *arguments: str) -> str:
    """One git command in `repo`, as its author Ana, with nobody's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(repo),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ana",
        "GIT_AUTHOR_EMAIL": "ana@hospital.example",
        "GIT_COMMITTER_NAME": "Ana",
        "GIT_COMMITTER_EMAIL": "ana@hospital.example",
    }
    done = subprocess.run(
        ["git", "-C", str(repo), *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@contextmanager
def temporary_site() -> Iterator[NodeSite]:
    """A site in a folder whose path is short enough for sockets and open to Postgres's account."""
    with open_folder() as folder:
        yield NodeSite(folder)


class RunningNode:
    """A served node. `start` and `stop` may alternate: each start is a new control process in all but pid."""

    def __init__(self, site: NodeSite) -> None:
        self.site = site
        self.serving: ServingNode
        self._changed = threading.Condition()
        self._notifications: Notifications | None = None

    def start(self) -> RunningNode:
        """Serve, without a gateway."""
        self.serving = ServingNode(self.site.node_folder, with_gateway=False)
        give_database(self.serving)
        self.serving.start()
        url = self.serving.node.database.url("dagster")
        self._notifications = Notifications(url, {EVENT_CHANNEL: lambda _payload: self._tell()}, self._tell)
        return self

    def stop(self) -> None:
        """Stop serving; what is on disk stays."""
        if self._notifications is not None:
            self._notifications.close()
            self._notifications = None
        self.serving.stop()

    def approve(self, project: str) -> str:
        """Submit the tip of the project's branch as Ana and approve it as Wei; gives the digest."""
        revisions = self.serving.node.code_revisions
        submitted = revisions.submit(ANALYST, project)
        return revisions.approve(OWNER, project, submitted.commit[:12]).digest

    def ready(self, project: str, digest: str | None = None, seconds: float = 60) -> HostStatus:
        """Wait until the project's current host is ready and the workspace shows its code."""

        def look() -> HostStatus | None:
            status = self.host(project)
            if status is None or (digest is not None and status.code_digest != digest):
                return None
            if status.state is HostState.FAILED:
                raise AssertionError(status.error)
            if status.state is not HostState.READY:
                return None
            workspace = self.serving.control.workspace
            context = workspace.create_request_context()
            loaded = context.has_code_location(project)
            return status if loaded and workspace.code_of(context, project) == status.code_digest else None

        return self.wait_for(look, f"the host of {project}", seconds)

    def host(self, project: str) -> HostStatus | None:
        """The project's current host."""
        hosts = self.serving.control.hosts.status()
        return next((host for host in hosts if host.project == project and host.is_current), None)

    def wait_for(self, look: Callable[[], T | None], what: str, seconds: float = 30) -> T:
        """Wait until `look` gives something; fails the test after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found:
                return found
            left = deadline - time.monotonic()
            assert left > 0, f"waited {seconds} s for {what}"
            with self._changed:
                self._changed.wait(min(left, LOOK_AGAIN_SECONDS))

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    @property
    def instance(self) -> Any:
        """The control plane's Dagster instance."""
        return self.serving.control.instance

    def graphql(self, query: str, variables: Mapping[str, Any] | None = None, *, by: str = "ana") -> Any:
        """Execute a query or mutation of Dagster's own schema as `by`; gives its data."""
        from dagster_graphql.schema import create_schema

        context = self.serving.control.workspace.create_request_context()
        token = requester.set(by)
        try:
            asked = _schema(create_schema).execute_async(
                query, context_value=context, variable_values=variables
            )
            result = asyncio.run(asked)
        finally:
            requester.reset(token)
        assert not result.errors, result.errors
        return result.data

    def launch(
        self,
        job: str,
        *,
        project: str = "shapes",
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        assets: Iterable[str] = (),
        checks: Iterable[tuple[str, str]] | None = None,
        ops: Iterable[str] = (),
        by: str = "ana",
    ) -> str:
        """Launch a run through GraphQL; gives its id. Assets are named `a/b`."""
        selector: dict[str, Any] = {
            "repositoryLocationName": project,
            "repositoryName": "__repository__",
            "pipelineName": job,
        }
        if ops:
            selector["solidSelection"] = list(ops)
        if assets:
            selector["assetSelection"] = [{"path": name.split("/")} for name in assets]
        if checks is not None:
            selector["assetCheckSelection"] = [
                {"assetKey": {"path": asset.split("/")}, "name": name} for asset, name in checks
            ]
        params = {
            "selector": selector,
            "runConfigData": json.dumps(run_config or {}),
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in (tags or {}).items()]},
        }
        answer = self.graphql(_LAUNCH, {"params": params}, by=by)["launchRun"]
        return _run_id(answer)

    def reexecute(self, parent: str, strategy: str = "FROM_FAILURE", *, by: str = "ana") -> str:
        """Re-execute a run as the UI's button does; gives the new run's id."""
        params = {"parentRunId": parent, "strategy": strategy}
        return _run_id(self.graphql(_REEXECUTE, {"params": params}, by=by)["launchRunReexecution"])

    def terminate(self, run_id: str, *, by: str = "ana") -> None:
        """Cancel a run as the UI's button does."""
        answer = self.graphql(_TERMINATE, {"id": run_id}, by=by)["terminateRun"]
        assert answer["__typename"] == "TerminateRunSuccess", answer

    def run_of(self, run_id: str) -> DagsterRun:
        """The run's row."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None, run_id
        return run

    def finished(self, run_id: str, seconds: float = 60) -> DagsterRun:
        """Wait for the run's end."""
        return self.wait_for(
            lambda: run if (run := self.run_of(run_id)).is_finished else None, f"run {run_id}", seconds
        )

    def run(self, job: str, *, seconds: float = 60, **launch: Any) -> DagsterRun:
        """Launch and wait for the end."""
        return self.finished(self.launch(job, **launch), seconds)

    def events(self, run_id: str) -> list[DagsterEvent]:
        """The run's Dagster events, oldest first."""
        return [e.dagster_event for e in self.instance.all_logs(run_id) if e.dagster_event is not None]

    def story(self, run_id: str) -> str:
        """The run's log as text, for the message of a failing assertion."""
        lines = []
        for entry in self.instance.all_logs(run_id):
            kind = entry.dagster_event_type.value if entry.dagster_event_type else "log"
            lines.append(f"{entry.timestamp:.3f} {entry.step_key} {kind} {entry.message[:300]}")
            data = entry.dagster_event.event_specific_data if entry.dagster_event else None
            error = getattr(data, "error", None)
            if error is not None:
                lines.append(error.to_string())
        return "\n".join(lines)

    def when_started(self, run_id: str, step_key: str, seconds: float = 30) -> None:
        """Wait until a step says that it has started."""
        self.wait_for(
            lambda: any(
                e.event_type_value == "STEP_START" and e.step_key == step_key for e in self.events(run_id)
            ),
            f"step {step_key} of run {run_id}",
            seconds,
        )

    def artifact(self, name: str, project: str = "shapes") -> Path:
        """A file in the project's artifact area, which steps see as /artifacts."""
        return self.serving.paths.artifacts(project) / name


@contextmanager
def running_node(site: NodeSite) -> Iterator[RunningNode]:
    """A node that serves for the time of the block."""
    node = RunningNode(site)
    try:
        yield node.start()
    finally:
        with suppress(AttributeError):
            node.stop()


def succeeded(run: DagsterRun) -> bool:
    """Whether a run has ended well."""
    return run.status is DagsterRunStatus.SUCCESS


_schemas: list[Any] = []


def _schema(create: Callable[[], Any]) -> Any:
    if not _schemas:
        _schemas.append(create())
    return _schemas[0]


def _run_id(answer: Mapping[str, Any]) -> str:
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


_ANSWER = """
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on InvalidSubsetError { message }
  ... on PipelineNotFoundError { message }
  ... on UnauthorizedError { message }
"""
_LAUNCH = f"mutation($params: ExecutionParams!) {{ launchRun(executionParams: $params) {{ {_ANSWER} }} }}"
_REEXECUTE = f"""mutation($params: ReexecutionParams!) {{
  launchRunReexecution(reexecutionParams: $params) {{ {_ANSWER} }}
}}"""
_TERMINATE = """mutation($id: String!) { terminateRun(runId: $id) {
  __typename ... on TerminateRunFailure { message } ... on PythonError { message } } }"""
