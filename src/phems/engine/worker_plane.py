"""The engine's part of a worker process: hosts, the door in the wall, and who performs steps.

It is the half of `control_plane` that steps need. Nothing starts a run here: a worker takes attempts that are
offered, of runs that were admitted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from phems.contract.step_order import ResourceLimits
from phems.engine._dagster import DagsterRun, serialize_value
from phems.engine.admission_point import AdmittingRunLauncher, StampingRunCoordinator, Submission
from phems.engine.attempts import Attempts
from phems.engine.leases import WorkerLeases
from phems.engine.orchestrator import Admitted
from phems.engine.step_runner import StepRunner
from phems.engine.wall import Wall
from phems.engine.worker import Worker, WorkerParts
from phems.errors import RefusedError

RUNS_KEPT = 64


@dataclass(frozen=True)
class WorkerPlaneParts:
    """The ports and settings of a worker that serves one project."""

    wall: Wall
    project: str
    asset_prefix: str
    concurrency: int
    limits: ResourceLimits
    leases: WorkerLeases


class WorkerPlane:
    """One project's hosts in this process, and its steps. `close` once."""

    def __init__(self, parts: WorkerPlaneParts) -> None:
        prefixes = {parts.project: parts.asset_prefix}
        self._project = parts.project
        attempts = Attempts()
        self.hosts = parts.wall.make_hosts(self._host_changed)
        self.instance = parts.wall.make_instance(
            StampingRunCoordinator(_NoDesk(), lambda *_: frozenset(), lambda _project: "", lambda: None, {}),
            AdmittingRunLauncher(_NoDesk(), _refuse, _refuse, lambda _run: False),
            prefixes,
        )
        worker = Worker(
            WorkerParts(
                self.hosts, parts.wall.authority, attempts, lambda _project: parts.limits, parts.wall.logs
            )
        )
        # All steps of a run are told of it as it was when the first of them started here.
        self._text_of = lru_cache(RUNS_KEPT)(self._read_run)
        self.runner = StepRunner(parts.leases, worker, self._run_text, parts.concurrency)
        self.storage_service = parts.wall.open_door(self.instance, self.hosts, attempts, prefixes)

    def serve(self, code_digest: str | None) -> None:
        """Have a host of this code ready before its first step; None when no code is approved."""
        if code_digest is None:
            self.hosts.deactivate(self._project)
        else:
            self.hosts.activate(self._project, code_digest)

    def close(self) -> None:
        """End the hosts and close the door."""
        self.runner.close()
        self.hosts.close()
        self.storage_service.close()

    def _run_text(self, run_id: str) -> str | None:
        with suppress(LookupError):
            return self._text_of(run_id)
        return None

    def _read_run(self, run_id: str) -> str:
        run = self.instance.get_run_by_id(run_id)
        if run is None:
            raise LookupError(run_id)
        return serialize_value(run)

    def _host_changed(self, _project: str) -> None:
        self.runner.host_changed()


class _NoDesk:
    """A worker lets no run start."""

    def submit(self, submission: Submission) -> NoReturn:  # noqa: ARG002 (the port's)
        _refuse()

    def admit(self, run: DagsterRun, *, is_resume: bool) -> Admitted:  # noqa: ARG002 (the port's)
        _refuse()


def _refuse(*_: object) -> NoReturn:
    raise RefusedError("A worker starts and ends no runs.", remedy="phems run launch")
