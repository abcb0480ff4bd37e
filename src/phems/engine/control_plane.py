"""The Dagster control plane of one process, put together: hosts, storage service, orchestrator, daemons.

It is given its ports and knows none of their adapters. Its parts need each other in a circle (the
instance's launcher feeds the orchestrator, which drives through the instance): this module is where
the circle is closed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

from phems.contract.capability import Capability
from phems.contract.step_order import ResourceLimits
from phems.engine._dagster import DagsterRunStatus
from phems.engine.admission_point import AdmissionDesk, AdmittingRunLauncher, StampingRunCoordinator
from phems.engine.attempts import Attempts
from phems.engine.counted_starter import CountedStarter
from phems.engine.counts import EngineCounts
from phems.engine.daemons import Daemons
from phems.engine.data_needs import needed_sources
from phems.engine.host_connection import StepEnd
from phems.engine.hosts import HostState, HostStatus
from phems.engine.in_turn import InTurn
from phems.engine.local_steps import LocalSteps
from phems.engine.orchestrator import Admitted, Orchestrator, unfinished_runs
from phems.engine.run_data import Data, RunData
from phems.engine.run_events import report_about_step
from phems.engine.run_queue import QueuedRuns
from phems.engine.step_queue import StepQueue, StepTask
from phems.engine.step_runner import Starter
from phems.engine.traces import RunSpans, TracedStarter, Traces
from phems.engine.wall import HostedWall
from phems.engine.worker import Worker, WorkerParts
from phems.engine.workspace import NodeWorkspace


@dataclass(frozen=True)
class ProjectSettings:
    """What the node spec says of one project to the engine."""

    asset_prefix: str
    limits: ResourceLimits
    concurrency: int
    runs: int
    priority: int


class Leader(Protocol):
    """The control process that drives the runs, as the others reach it. What is told may be lost."""

    def cancel(self, run_id: str, reason: str) -> None:
        """End a run that is being cancelled."""
        ...

    def run_queued(self) -> None:
        """A run was queued."""
        ...


@dataclass(frozen=True)
class ControlPlaneParts:
    """The ports and settings of a control plane."""

    wall: HostedWall
    desk: AdmissionDesk
    projects: Mapping[str, ProjectSettings]
    queued_runs: QueuedRuns
    steps: StepQueue | None = None
    """Carries steps to workers elsewhere; None: they run in this process."""
    leader: Leader | None = None
    """Who drives while this process does not; None: it is always this one."""
    with_daemons: bool = True
    traces: Traces | None = None
    """Who is told how runs and steps went; None: nobody."""


class ControlPlane:
    """All control roles of the engine in one process. `start` and `close` once each."""

    def __init__(self, parts: ControlPlaneParts) -> None:
        self._parts = parts
        self.is_leading = False
        self._closed = threading.Event()
        self._ending = threading.Lock()
        self._ended_code: dict[tuple[str, str], tuple[str, Callable[[str], None]]] = {}
        self._refreshing = ThreadPoolExecutor(max_workers=2, thread_name_prefix="phems-workspace")
        self._changed_hosts = InTurn(self._refreshing.submit, self._refresh)
        prefixes = {name: settings.asset_prefix for name, settings in parts.projects.items()}
        self.attempts = Attempts()
        self.counts = EngineCounts(parts.projects)
        self.counted: CountedStarter | None = None
        """Of steps that run in this process."""
        self.hosts = parts.wall.make_hosts(self._host_changed)
        self.steps = parts.steps or self._local_steps()
        self._launcher = AdmittingRunLauncher(
            parts.desk, self._drive, self.cancel, self._is_driven, self.counts
        )
        self.instance = parts.wall.make_instance(
            StampingRunCoordinator(
                parts.desk,
                needed_sources,
                self._code_of,
                self._run_queued,
                {name: settings.runs for name, settings in parts.projects.items()},
                self.counts,
            ),
            self._launcher,
            prefixes,
        )
        self.orchestrator = Orchestrator(
            self.instance,
            self.steps,
            lambda _run_id: self.wake_run_queue(),
            self.counts,
            RunSpans(self.instance, parts.traces) if parts.traces is not None else None,
        )
        self.storage_service = parts.wall.open_door(self.instance, self.hosts, self.attempts, prefixes)
        self.workspace = NodeWorkspace(self.instance, self.hosts, prefixes.__getitem__, self._answer_refused)
        self.daemons: Daemons | None = None

    def start(self, revisions: Mapping[str, str]) -> None:
        """Start the hosts of the approved revisions: their code servers are what people look at."""
        for project, code_digest in revisions.items():
            self.hosts.activate(project, code_digest)

    def lead(self) -> None:
        """Be the one that drives: take up unfinished runs, start the orchestrator and the daemons."""
        unfinished = unfinished_runs(self.instance)
        self.steps.keep_only([run.run_id for run in unfinished])
        for run in unfinished:
            self._launcher.take_up(run)
        self.orchestrator.start()
        self.is_leading = True
        if self._parts.with_daemons:
            self.daemons = Daemons(self.instance, self.workspace, self._parts.queued_runs)
            self.daemons.wake_run_queue()

    def step_down(self) -> None:
        """Drive no more; whoever leads next goes on from the event log. Idempotent."""
        self.is_leading = False
        if self.daemons is not None:
            self.daemons.close()
            self.daemons = None
        self.orchestrator.stop()

    def host_status(self) -> list[HostStatus]:
        """All hosts as people see them: one is ready when what it serves can be asked for, too."""
        return [
            replace(host, state=HostState.LOADING)
            if host.is_current
            and host.state is HostState.READY
            and not self.workspace.has_taken_in(host.project, host.code_digest)
            else host
            for host in self.hosts.status()
        ]

    def event_written(self, payload: str) -> None:
        """A notification of the event log: `<run id>_<event id>`."""
        self.orchestrator.events_written(payload.rpartition("_")[0])

    def end_runs_of(
        self, project: str, code_digest: str, reason: str, record: Callable[[str], None]
    ) -> list[str]:
        """End the runs of this code that are on their way, and those that are being let start now.

        `record(run_id)` comes before each: a run whose end cannot be written down goes on. Gives the runs.
        """
        with self._ending:
            self._ended_code[project, code_digest] = (reason, record)
            runs = self.orchestrator.runs_of(project, code_digest)
        return [run_id for run_id in runs if self._end(run_id, reason, record)]

    def close(self) -> None:
        """Stop all parts, in the order in which nothing waits for what is gone."""
        self._closed.set()
        self.step_down()
        self.hosts.close()
        self._refreshing.shutdown(wait=True)
        self.workspace.__exit__(None, None, None)
        self.storage_service.close()

    def attempt_ended(self, end: StepEnd) -> None:
        """A step's process is gone, here or in a worker elsewhere."""
        self.orchestrator.attempt_ended(end)

    def cancel(self, run_id: str, reason: str) -> None:
        """End a run that is being cancelled, here or wherever it is driven."""
        if self.orchestrator.drives(run_id):
            self.orchestrator.cancel(run_id, reason)
        elif self.is_leading or self._parts.leader is None:
            run = self.instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                self.instance.report_run_canceled(run, f"{reason.removesuffix('.')} before it started.")
        else:
            # Nobody leads for a moment, perhaps: then whoever does next finds the run being cancelled.
            self._parts.leader.cancel(run_id, reason)

    def cancel_if_leading(self, run_id: str, reason: str) -> None:
        """End a run that another process is cancelling, if it is driven here."""
        if self.is_leading:
            self.cancel(run_id, reason)

    def wake_run_queue(self) -> None:
        """A run was queued, or one ended and left its place."""
        if self.daemons is not None:
            self.daemons.wake_run_queue()

    def _local_steps(self) -> LocalSteps:
        parts = self._parts
        limits = {name: settings.limits for name, settings in parts.projects.items()}
        worker: Starter = Worker(
            WorkerParts(
                self.hosts,
                RunData(parts.wall.data, self._admitted_data, self._data_read),
                parts.wall.authority,
                self.attempts,
                limits.__getitem__,
                parts.wall.logs,
                self._tell_of_step,
            )
        )
        if parts.traces is not None:
            worker = TracedStarter(worker, parts.traces)
        self.counted = worker = CountedStarter(worker, parts.projects)
        return LocalSteps(worker, lambda project: parts.projects[project].concurrency, self.attempt_ended)

    # These close the circle late: what they call is made after what calls them.

    def _code_of(self, asked: Any, project: str) -> str:
        return self.workspace.code_of(asked, project)

    def _is_driven(self, run_id: str) -> bool:
        return self.orchestrator.drives(run_id)

    def _admitted_data(self, run_id: str) -> Data | None:
        return self.orchestrator.data_of(run_id)

    def _tell_of_step(self, task: StepTask, what: str) -> None:
        report_about_step(self.instance, task.run_id, task.step_key, what)

    def _data_read(self, project: str) -> None:
        self.steps.project_changed(project)

    def _drive(self, admitted: Admitted) -> None:
        with self._ending:
            self.orchestrator.admit(admitted)
            # Its admission may have come just before the revocation that ends the runs of its code.
            ended = self._ended_code.get((admitted.project, admitted.code_digest))
        if ended is not None:
            self._end(admitted.run_id, *ended)
        if not self._closed.is_set():
            self._refreshing.submit(self.hosts.renew, admitted.project)  # no run waits for it

    def _end(self, run_id: str, reason: str, record: Callable[[str], None]) -> bool:
        run = self.instance.get_run_by_id(run_id)
        if run is None or run.is_finished or run.status is DagsterRunStatus.CANCELING:
            return False
        record(run_id)
        return self._launcher.end(run_id, reason)

    def _answer_refused(self, project: str, name: str, reason: str) -> None:
        host = self.hosts.current(project)
        digest = host.plan.code_digest if host else ""
        self._parts.wall.audit_refusal(
            Capability("location", project, 0.0, digest), f"tick of {name}", reason
        )

    def _run_queued(self) -> None:
        if self.is_leading or self._parts.leader is None:
            self.wake_run_queue()
        else:
            self._parts.leader.run_queued()

    def _host_changed(self, project: str) -> None:
        if self._closed.is_set():
            return
        self._changed_hosts.changed(project)

    def _refresh(self, project: str) -> None:
        self.workspace.take_in(project)
        self.steps.project_changed(project)
