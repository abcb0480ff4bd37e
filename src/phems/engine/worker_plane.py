"""The engine's part of a worker process: hosts, the door in the wall, and who performs steps.

It is the half of `control_plane` that steps need. Nothing starts a run here: a worker takes attempts that are
offered, of runs that were admitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from phems.contract.step_order import ResourceLimits
from phems.engine._dagster import DagsterRun, EventLogStorage, RunStorage, ScheduleStorage, serialize_value
from phems.engine.admission_point import AdmittingRunLauncher, StampingRunCoordinator, Submission
from phems.engine.attempts import Attempts
from phems.engine.capabilities import CapabilityAuthority
from phems.engine.hosts import HostPool
from phems.engine.instance import NodeInstance
from phems.engine.leases import WorkerLeases
from phems.engine.orchestrator import Admitted
from phems.engine.sandbox import HostPlan, SandboxLauncher
from phems.engine.step_runner import StepRunner
from phems.engine.storage_service import (
    OutputRegister,
    RefusalAudit,
    ServiceParts,
    StorageService,
    ValueStore,
)
from phems.engine.worker import Worker, WorkerParts
from phems.errors import RefusedError


@dataclass(frozen=True)
class WorkerPlaneParts:
    """The ports and settings of a worker that serves one project."""

    project: str
    asset_prefix: str
    concurrency: int
    runs: RunStorage
    events: EventLogStorage
    schedules: ScheduleStorage
    leases: WorkerLeases
    launcher: SandboxLauncher
    authority: CapabilityAuthority
    plan_for: Callable[[str, str], HostPlan]
    limits: Mapping[str, ResourceLimits]
    register_output: OutputRegister
    audit_refusal: RefusalAudit
    home: Path
    logs: Path
    storage_socket: Path
    location_sockets: Path
    values: ValueStore | None = None


class WorkerPlane:
    """One project's hosts in this process, and its steps. `close` once."""

    def __init__(self, parts: WorkerPlaneParts) -> None:
        parts.location_sockets.mkdir(parents=True, exist_ok=True)
        self._project = parts.project
        attempts = Attempts()
        self.hosts = HostPool(
            parts.launcher, parts.authority, parts.plan_for, parts.location_sockets, self._host_changed
        )
        self.instance = NodeInstance(
            run_storage=parts.runs,
            event_storage=parts.events,
            schedule_storage=parts.schedules,
            run_coordinator=StampingRunCoordinator(
                _NoDesk(), lambda *_: frozenset(), lambda _project: "", lambda: None, {}
            ),
            run_launcher=AdmittingRunLauncher(_NoDesk(), _refuse, _refuse, lambda _run: False),
            projects_by_prefix={parts.asset_prefix: parts.project},
            home=parts.home,
            logs=parts.logs,
        )
        worker = Worker(
            WorkerParts(self.hosts, parts.authority, attempts, parts.limits.__getitem__, parts.logs)
        )
        self.runner = StepRunner(parts.leases, worker, self._run_text, lambda: parts.concurrency)
        self.storage_service = StorageService(
            parts.storage_socket,
            ServiceParts(
                instance=self.instance,
                authority=parts.authority,
                attempts=attempts,
                asset_prefixes=lambda _project: parts.asset_prefix,
                host_is_live=self.hosts.is_live,
                register_output=parts.register_output,
                audit_refusal=parts.audit_refusal,
                values=parts.values,
            ),
        )

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
        run = self.instance.get_run_by_id(run_id)
        return serialize_value(run) if run is not None else None

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
