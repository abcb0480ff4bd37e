"""The engine's part of a worker process: hosts, the door in the wall, and who performs steps.

It is the half of `control_plane` that steps need. Nothing starts a run here: a worker takes attempts that are
offered, of runs that were admitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from phems.contract.step_order import ResourceLimits
from phems.engine._dagster import DagsterRun, serialize_value
from phems.engine.admission_point import AdmittingRunLauncher, StampingRunCoordinator, Submission
from phems.engine.attempts import Attempts
from phems.engine.counted_starter import CountedStarter
from phems.engine.instance import NodeInstance
from phems.engine.leases import WorkerLeases
from phems.engine.orchestrator import Admitted
from phems.engine.run_data import Data, RunData
from phems.engine.run_events import report_about_step
from phems.engine.step_queue import StepTask
from phems.engine.step_runner import Starter, StepRunner
from phems.engine.traces import TracedStarter, Traces
from phems.engine.wall import HostedWall, Wall
from phems.engine.worker import Worker, WorkerParts
from phems.errors import RefusedError

RUNS_KEPT = 64


@dataclass(frozen=True)
class WorkerPlaneParts:
    """The ports and settings of a worker that serves one project."""

    wall: HostedWall
    project: str
    asset_prefix: str
    concurrency: int
    limits: ResourceLimits
    leases: WorkerLeases
    admitted: Callable[[str], Data | None]
    """The data that a run was admitted with."""
    traces: Traces | None = None


class WorkerPlane:
    """One project's hosts in this process, and its steps. `close` once."""

    def __init__(self, parts: WorkerPlaneParts) -> None:
        prefixes = {parts.project: parts.asset_prefix}
        self._project = parts.project
        attempts = Attempts()
        self.hosts = parts.wall.make_hosts(self._host_changed)
        self.instance = worker_instance(parts.wall, prefixes)
        worker: Starter = Worker(
            WorkerParts(
                self.hosts,
                RunData(parts.wall.data, lru_cache(RUNS_KEPT)(parts.admitted), self._host_changed),
                parts.wall.authority,
                attempts,
                lambda _project: parts.limits,
                parts.wall.logs,
                self._tell_of_step,
            )
        )
        if parts.traces is not None:
            worker = TracedStarter(worker, parts.traces)
        self.counted = worker = CountedStarter(worker, [parts.project])
        self.runner = StepRunner(parts.leases, worker, RunTexts(self.instance), parts.concurrency)
        self.storage_service = parts.wall.open_door(self.instance, self.hosts, attempts, prefixes)

    def serve(self, code_digest: str | None) -> None:
        """Have a host of this code ready before its first step; None when no code is approved."""
        if code_digest is None:
            self.hosts.deactivate(self._project)
        else:
            self.hosts.activate(self._project, code_digest)

    def forget_grants(self) -> None:
        """Other data is granted: the hosts of now end when idle, and `serve` begins anew."""
        self.hosts.deactivate(self._project)

    def drain(self) -> None:
        """Begin nothing more; what runs goes on."""
        self.runner.close()

    def close(self) -> None:
        """End the hosts and close the door."""
        self.runner.close()
        self.hosts.close()
        self.storage_service.close()

    def _tell_of_step(self, task: StepTask, what: str) -> None:
        report_about_step(self.instance, task.run_id, task.step_key, what)

    def _host_changed(self, _project: str) -> None:
        self.runner.host_changed()


class RunTexts:
    """Runs as their steps are told of them; all of a run as it was when the first of them started here."""

    def __init__(self, instance: NodeInstance) -> None:
        self._instance = instance
        self._text_of = lru_cache(RUNS_KEPT)(self._read)

    def __call__(self, run_id: str) -> str | None:
        """The run, serialised; None when there is none."""
        with suppress(LookupError):
            return self._text_of(run_id)
        return None

    def _read(self, run_id: str) -> str:
        run = self._instance.get_run_by_id(run_id)
        if run is None:
            raise LookupError(run_id)
        return serialize_value(run)


def worker_instance(wall: Wall, asset_prefixes: Mapping[str, str]) -> NodeInstance:
    """The Dagster instance of a worker: one that starts no run."""
    return wall.make_instance(
        StampingRunCoordinator(_NoDesk(), lambda *_: frozenset(), lambda *_: "", lambda: None, {}),
        AdmittingRunLauncher(_NoDesk(), _refuse, _refuse, lambda _run: False),
        asset_prefixes,
    )


class _NoDesk:
    """A worker lets no run start."""

    def submit(self, submission: Submission) -> NoReturn:  # noqa: ARG002 (the port's)
        _refuse()

    def admit(self, run: DagsterRun, *, is_resume: bool) -> Admitted:  # noqa: ARG002 (the port's)
        _refuse()


def _refuse(*_: object) -> NoReturn:
    raise RefusedError("A worker starts and ends no runs.", remedy="phems run launch")
