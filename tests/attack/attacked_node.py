"""The node under attack, from outside: launching, waiting, reading what the hostile side found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from dagster import AssetKey, DagsterInstance, DagsterRun
from sqlalchemy import text
from tests.made_databases import give_database

from phems.domain.actors import Actor
from phems.domain.audit import Entry
from phems.engine.admission_point import requester
from phems.engine.hosts import HostState
from phems.serve import ServingNode

ANA, WEI, WIM, IVO = Actor("ana"), Actor("wei"), Actor("wim"), Actor("ivo")
PROJECTS = Path(__file__).parent / "projects"
INTRUDER, WARD, ANNEX = "intruder", "ward", "annex"
CANARY = "CANARY-PATIENT-7f3a9"
MARK = "FINDINGS: "

NODE_YAML: dict[str, Any] = {
    "version": 1,
    "node": {"name": "attacked"},
    "controller": {"name": "Attacked Hospital"},
    "profile": "embedded",
    "roles": {"operator": ["olga"], "auditor": ["aude"]},
    "policies": {
        "default": {"approvals": 1, "votes": 2, "sandbox": "required"},
        "strict": {"approvals": 2, "votes": 2, "sandbox": "required"},
    },
    "data_sources": {
        "patients": {"path": "sources/patients.csv", "format": "csv"},
        "weather": {"path": "sources/weather.csv", "format": "csv"},
    },
    "projects": {
        name: {
            "code": {"repo": f"repos/{name}", "module": f"{name}.definitions"},
            "members": {
                "data_analyst": ["ana", "wim"],
                "output_checker": ["carol", "dmitri"],
                "information_asset_owner": ["wei", "wim", "ivo"],
            },
            "data_grants": [{"source": source}] if source else [],
            "policy": "strict" if name == ANNEX else "default",
            "queue": {"concurrency": 4, "runs": 1 if name == WARD else 10},
            "resources": {"memory": "2GiB", "file_size": "8MiB", "processes": 4096},
        }
        for name, source in ((INTRUDER, "weather"), (WARD, "patients"), (ANNEX, None))
    },
}


def write_node_repo(folder: Path, changes: Callable[[dict[str, Any]], None] | None = None) -> None:
    """A Node Repo with data sources and the Git repositories of both projects."""
    spec = json.loads(json.dumps(NODE_YAML))
    if changes is not None:
        changes(spec)
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "patients.csv").write_text(f"patient,age\n{CANARY},77\n")
    (folder / "sources" / "weather.csv").write_text("day,sun\n1,yes\n")
    (folder / "node.yaml").write_text(yaml.safe_dump(spec))
    for name in (INTRUDER, WARD, ANNEX):
        repo = folder / "repos" / name
        shutil.copytree(PROJECTS / name, repo, ignore=shutil.ignore_patterns("__pycache__"))
        git(repo, "init", "-q", "-b", "main")
        commit(repo, "First")


def git(repo: Path, *arguments: str) -> str:
    """Run Git in a repository, as a fixed author."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(repo),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{role}_NAME": "Ana" for role in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{role}_EMAIL": "ana@hospital.example" for role in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(
        ["git", "-C", str(repo), *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(repo: Path, message: str) -> str:
    """Commit all there is; gives the commit's name."""
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for a condition; gives its first true value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class AttackedNode:
    """A serving node of this process. A context manager."""

    def __init__(self, folder: Path, *, approve: Sequence[str] = (INTRUDER, WARD)) -> None:
        self.folder = folder
        self._approve = approve
        self.serving = ServingNode(folder, with_gateway=False)

    def __enter__(self) -> Self:
        give_database(self.serving)
        self.serving.start()
        try:
            for project in self._approve:
                if not self.serving.node.code_revisions.list(ANA, project):
                    self.approve(project)
            for project in self._approve:
                self.wait_for_code(project)
        except BaseException:
            self.serving.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.serving.stop()

    @property
    def instance(self) -> DagsterInstance:
        """The control plane's own instance."""
        return self.serving.control.instance

    @property
    def data(self) -> Path:
        """The node's data folder."""
        return self.serving.paths.data_dir

    def approve(self, project: str) -> str:
        """Submit the tip of the project's branch and approve it; gives the digest."""
        code = self.serving.node.code_revisions
        revision = code.submit(ANA, project)
        return code.approve(WEI, project, revision.commit[:12]).digest

    def deliver(self, project: str, files: Mapping[str, str]) -> str:
        """Commit changed files to a project's repository and have them approved; gives the digest."""
        repo = self.folder / "repos" / project
        for path, text_of in files.items():
            (repo / path).write_text(text_of)
        commit(repo, "A delivery")
        return self.approve(project)

    def wait_for_code(self, project: str, digest: str | None = None) -> None:
        """Until the project's location is loaded (with this digest)."""
        control = self.serving.control

        def is_loaded() -> bool:
            host = control.hosts.current(project)
            assert host is None or host.state is not HostState.FAILED, host.error
            location = self.location(project)
            if location is None or host is None or host.state is not HostState.READY:
                return False
            return digest in {None, location.code_digest} and location.code_digest == host.plan.code_digest

        until(is_loaded, 60, f"{project} is loaded")

    def location(self, project: str) -> Any:
        """The project's code location as the workspace shows it now; None while it has none."""
        context = self.serving.control.workspace.create_request_context()
        return context.get_code_location(project) if context.has_code_location(project) else None

    def create_run(
        self,
        project: str,
        job: str,
        *,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        step_keys: Sequence[str] | None = None,
        root_run_id: str | None = None,
        parent_run_id: str | None = None,
        assets: Sequence[AssetKey] | None = None,
    ) -> DagsterRun:
        """A run row as the UI's launch makes it, not submitted yet."""
        from dagster._core.remote_representation.external import RemoteJob

        location = self.location(project)
        assert location is not None
        (repository,) = location.get_repositories().values()
        remote_job: RemoteJob = repository.get_full_job(job)
        plan = location.get_execution_plan(remote_job, dict(config or {}), step_keys, None, self.instance)
        return self.instance.create_run(
            job_name=job,
            run_id=None,
            run_config=dict(config or {}),
            resolved_op_selection=None,
            step_keys_to_execute=step_keys,
            status=None,
            tags=dict(tags or {}),
            root_run_id=root_run_id,
            parent_run_id=parent_run_id,
            job_snapshot=remote_job.job_snapshot,
            execution_plan_snapshot=plan.execution_plan_snapshot,
            parent_job_snapshot=remote_job.parent_job_snapshot,
            remote_job_origin=remote_job.get_remote_origin(),
            job_code_origin=remote_job.get_python_origin(),
            asset_selection=frozenset(assets) if assets else None,
            op_selection=None,
            asset_check_selection=None,
            asset_graph=repository.asset_graph,
        )

    def submit(self, run: DagsterRun, who: str = "ana") -> str:
        """Ask for a run that was created."""
        token = requester.set(who)
        try:
            context = self.serving.control.workspace.create_request_context()
            self.instance.submit_run(run.run_id, context)
        finally:
            requester.reset(token)
        return run.run_id

    def launch(self, project: str, job: str, **options: Any) -> str:
        """Create and submit a run; gives its id."""
        return self.submit(self.create_run(project, job, **options))

    def wait(self, run_id: str, seconds: float = 40) -> DagsterRun:
        """The run, once it has ended."""
        return until(lambda: self._ended(run_id), seconds, f"run {run_id} has ended: {self.log(run_id)}")

    def _ended(self, run_id: str) -> DagsterRun | None:
        run = self.run(run_id)
        return run if run.is_finished else None

    def run(self, run_id: str) -> DagsterRun:
        """The run as the database has it."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def log(self, run_id: str) -> str:
        """All messages of a run's event log."""
        lines = []
        for entry in self.instance.all_logs(run_id):
            event = entry.dagster_event
            text_of = (event.message if event else None) or entry.user_message or ""
            data = event.event_specific_data if event else None
            error = getattr(data, "error", None)
            lines.append(f"{event.event_type_value if event else 'LOG'}: {text_of} {error or ''}")
        return "\n".join(lines)

    def started_steps(self, run_id: str) -> list[str]:
        """The steps that began, in order, an attempt each."""
        return [
            str(entry.step_key)
            for entry in self.instance.all_logs(run_id)
            if entry.dagster_event and entry.dagster_event.event_type_value == "STEP_START"
        ]

    def event_types(self, run_id: str) -> list[str]:
        """The kinds of the run's events, in order."""
        return [
            entry.dagster_event.event_type_value
            for entry in self.instance.all_logs(run_id)
            if entry.dagster_event
        ]

    def printed(self, run_id: str) -> str:
        """What the run's steps wrote to stdout."""
        folder = self.data / "logs" / run_id / "compute_logs"
        return "".join(path.read_text(errors="replace") for path in sorted(folder.glob("*.out")))

    def findings(self, run_id: str) -> dict[str, Any]:
        """What the run's hostile steps say they found: name of the probe to its outcome."""
        self.wait(run_id)
        found: dict[str, Any] = {}
        for line in self.printed(run_id).splitlines():
            if line.startswith(MARK):
                found.update(json.loads(line.removeprefix(MARK)))
        assert found, f"the probes said nothing: {self.log(run_id)}"
        return found

    def probe(self, job: str, *, expect: str | None = "SUCCESS", **config: Any) -> dict[str, Any]:
        """Run one hostile job of the intruder with a config for its op of the same name."""
        op = job.removesuffix("_job")
        run_config = {"ops": {op: {"config": config}}} if config else {}
        run_id = self.launch(INTRUDER, job, config=run_config)
        found = self.findings(run_id)
        status = self.run(run_id).status.value
        assert expect in {None, status}, f"{status}: {self.log(run_id)}"
        return found

    def wait_for_tick(self, name: str, *, is_schedule: bool = False, seconds: float = 90) -> Any:
        """The first tick of a sensor or schedule of the intruder, once it has ended. Start it first."""
        instigator = self.instigator(name, is_schedule=is_schedule)

        def ended() -> Any:
            ticks = self.instance.get_ticks(instigator.get_remote_origin_id(), instigator.selector_id)
            return next((tick for tick in ticks if tick.status.value != "STARTED"), None)

        return until(ended, seconds, f"{name} has ticked")

    def instigator(self, name: str, *, is_schedule: bool = False) -> Any:
        """A sensor or schedule of the intruder, as the workspace shows it."""
        location = self.location(INTRUDER)
        assert location is not None
        (repository,) = location.get_repositories().values()
        return repository.get_schedule(name) if is_schedule else repository.get_sensor(name)

    def set_status(self, run_id: str, status: str) -> None:
        """Put a run row into another status by SQL, as a database administrator could, and wake the queue."""
        body = self.sql("SELECT run_body FROM runs WHERE run_id = :run", run=run_id)[0][0]
        fields = json.loads(body) | {"status": {"__enum__": f"DagsterRunStatus.{status}"}}
        self.sql(
            "UPDATE runs SET status = :status, run_body = :body WHERE run_id = :run",
            status=status,
            body=json.dumps(fields),
            run=run_id,
        )
        daemons = self.serving.control.daemons
        assert daemons is not None
        daemons.wake_run_queue()

    def audit(self) -> list[Entry]:
        """The audit log."""
        with self.serving.node.governance.transaction() as tx:
            return list(tx.audit.entries())

    def refusals(self, action: str) -> list[Entry]:
        """Audit entries of refused acts of this kind."""
        return [entry for entry in self.audit() if entry.action == action and entry.result == "refused"]

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """A statement with the engine's own database role: what a database administrator could do."""
        with self.serving.node.database.engine("dagster").begin() as connection:
            done = connection.execute(text(statement), values)
            return list(done) if done.returns_rows else []

    def rows_of(self, run_id: str) -> list[Any]:
        """The run's own rows, to compare before and after."""
        return [
            self.sql("SELECT run_id, status, run_body FROM runs WHERE run_id = :run", run=run_id),
            self.sql("SELECT key, value FROM run_tags WHERE run_id = :run ORDER BY key, value", run=run_id),
            self.sql("SELECT id, event FROM event_logs WHERE run_id = :run ORDER BY id", run=run_id),
        ]
