"""Where every run must pass: stamped when it is asked for, admitted when it is launched or resumed.

`StampingRunCoordinator` stands where runs are submitted (UI, GraphQL, CLI, schedules, sensors,
backfills, re-executions), `AdmittingRunLauncher` where they start. Neither decides: both ask the
admission use case, which reads governance and writes the audit entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from phems.engine._dagster import (
    BACKFILL_ID_TAG,
    PARENT_RUN_ID_TAG,
    SCHEDULE_NAME_TAG,
    SENSOR_NAME_TAG,
    CheckRunHealthResult,
    DagsterRun,
    DagsterRunStatus,
    LaunchRunContext,
    QueuedRunCoordinator,
    ResumeRunContext,
    RunLauncher,
    SubmitRunContext,
    WorkerStatus,
)
from phems.engine.counts import AdmittedAt, EngineCounts
from phems.engine.orchestrator import Admitted
from phems.engine.tags import (
    APPROVAL_TAG,
    CAPSULE_TAG,
    CODE_TAG,
    PROJECT_TAG,
    REQUESTER_TAG,
    SANDBOX_TAG,
    TRACE_TAG,
    reserved,
)
from phems.engine.traces import trace_tags
from phems.errors import PhemsError, RefusedError

STAMPS = (PROJECT_TAG, REQUESTER_TAG, CODE_TAG, CAPSULE_TAG, APPROVAL_TAG, SANDBOX_TAG, TRACE_TAG)

# Who asks, in this thread or request: the gateway and the CLI's entry set it.
requester: ContextVar[str | None] = ContextVar("phems_requester", default=None)


@dataclass(frozen=True)
class Submission:
    """A run that somebody asks for."""

    run: DagsterRun
    project: str
    requester: str
    code_digest: str
    needed_sources: frozenset[str]


class AdmissionDesk(Protocol):
    """The admission use case as the engine needs it. Every method raises `RefusedError` with the reason."""

    def submit(self, submission: Submission) -> Mapping[str, str]:
        """Record a submission; gives the tags to stamp on the run."""
        ...

    def admit(self, run: DagsterRun, *, is_resume: bool) -> Admitted:
        """Let a run start, or refuse it; the audit entry is written either way."""
        ...


class StampingRunCoordinator(QueuedRunCoordinator[Any]):
    """Dagster's run queue, with the node's stamp on every run that enters it."""

    def __init__(
        self,
        desk: AdmissionDesk,
        needed_sources: Callable[[Any, DagsterRun], frozenset[str]],
        code_of: Callable[[Any, str], str],
        on_queued: Callable[[], None],
        run_limits: Mapping[str, int],
        counts: EngineCounts | None = None,
    ) -> None:
        super().__init__(
            max_concurrent_runs=-1,
            tag_concurrency_limits=[
                {"key": PROJECT_TAG, "value": project, "limit": limit}
                for project, limit in run_limits.items()
            ],
            block_op_concurrency_limited_runs={"enabled": False},
        )
        self._desk = desk
        self._needed_sources = needed_sources
        self._code_of = code_of
        self._on_queued = on_queued
        self._counts = counts or EngineCounts()

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Stamp and queue a run; a refused one is failed at once, with the reason in its log."""
        run = context.dagster_run
        if run.status is not DagsterRunStatus.NOT_STARTED:
            return super().submit_run(context)
        project = ""
        try:
            project = _project_of(run)
            self._check_tags(run)
            submission = Submission(
                run,
                project,
                self._requester_of(run),
                self._code_of(context.workspace, project),
                self._needed_sources(context.workspace, run),
            )
            stamps = self._desk.submit(submission)
        except PhemsError as error:
            self._counts.admission("submit", "refused")
            return self._refuse(run, project, error)
        self._counts.admission("submit", "admitted")
        self._instance.add_run_tags(run.run_id, {**stamps, **trace_tags()})
        queued = super().submit_run(context)
        self._on_queued()
        return queued

    def _check_tags(self, run: DagsterRun) -> None:
        allowed = {**self._stamps_of_parent(run), **self._stamp_of_backfill(run)}
        plan_tags: dict[str, str] = {}
        if run.execution_plan_snapshot_id:
            plan = self._instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
            for step in plan.steps:
                plan_tags.update(step.tags or {})
        foreign = [name for name in reserved(run.tags) if allowed.get(name) != run.tags[name]]
        foreign += reserved(plan_tags)
        if foreign:
            raise RefusedError(
                f"The tags {', '.join(sorted(set(foreign)))} are reserved.",
                why="Only the node may say who asks, which code runs and what a step's pod is.",
                remedy="Take them out of the launch, the job or the op; resources are set in node.yaml.",
            )

    def _stamps_of_parent(self, run: DagsterRun) -> dict[str, str]:
        # Dagster copies a parent's tags to its re-execution: the node's stamps, which are stamped anew, and
        # what a refused parent had no right to, which stays refused.
        parent_id = run.tags.get(PARENT_RUN_ID_TAG)
        parent = self._instance.get_run_by_id(parent_id) if parent_id else None
        if parent is None or not _same_project(parent, run):
            return {}
        return {name: value for name, value in parent.tags.items() if name in STAMPS}

    def _stamp_of_backfill(self, run: DagsterRun) -> dict[str, str]:
        # The instance stamped the backfill when a person asked for it; Dagster copies its tags to its runs.
        backfill_id = run.tags.get(BACKFILL_ID_TAG)
        backfill = self._instance.get_backfill(backfill_id) if backfill_id else None
        tags = backfill.tags if backfill else {}
        return {name: tags[name] for name in (REQUESTER_TAG, PROJECT_TAG) if name in tags}

    def _requester_of(self, run: DagsterRun) -> str:
        asker = requester.get() or self._stamp_of_backfill(run).get(REQUESTER_TAG)
        if asker:
            return asker
        return next(
            (f"{kind}:{run.tags[tag]}" for tag, kind in _SYSTEM_REQUESTERS.items() if tag in run.tags),
            "system:daemon",
        )

    def _refuse(self, run: DagsterRun, project: str, error: PhemsError) -> DagsterRun:
        if project:
            # Whatever project the run named itself, its own people must see it, and no others.
            self._instance.add_run_tags(run.run_id, {PROJECT_TAG: project})
        self._instance.report_run_failed(run, f"Refused: {error}")
        return self._instance.get_run_by_id(run.run_id) or run


class AdmittingRunLauncher(RunLauncher[Any]):
    """Starts no process: it admits a run and hands it to the orchestrator."""

    def __init__(
        self,
        desk: AdmissionDesk,
        drive: Callable[[Admitted], None],
        cancel: Callable[[str, str], None],
        is_driven: Callable[[str], bool],
        counts: EngineCounts | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._desk = desk
        self._drive = drive
        self._cancel = cancel
        self._is_driven = is_driven
        self._counts = counts or EngineCounts()

    def take_up(self, run: DagsterRun) -> None:
        """Go on with a run that was on its way when the node stopped: through admission, like any other."""
        self._admit(run, is_resume=True)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Admit and start a run, or fail it with what is missing and the command that asks for it."""
        self._admit(context.dagster_run, is_resume=False)

    def resume_run(self, context: ResumeRunContext) -> None:
        """The same choke point for a run that goes on."""
        self._admit(context.dagster_run, is_resume=True)

    def _admit(self, run: DagsterRun, *, is_resume: bool) -> None:
        at: AdmittedAt = "resume" if is_resume else "launch"
        try:
            admitted = self._desk.admit(run, is_resume=is_resume)
        except PhemsError as error:
            self._counts.admission(at, "refused")
            self._instance.report_run_failed(run, f"Refused: {error}")
            return
        self._counts.admission(at, "admitted")
        if admitted.tags:
            self._instance.add_run_tags(run.run_id, dict(admitted.tags))
        self._drive(admitted)

    def terminate(self, run_id: str) -> bool:
        """Cancel a run: its processes are gone within seconds."""
        return self.end(run_id, f"Cancelled by {requester.get() or 'the node'}")

    def end(self, run_id: str, reason: str) -> bool:
        """Cancel a run for a reason, given without a full stop; False when it has ended already."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        self._cancel(run_id, f"{reason}.")
        return True

    @property
    def supports_resume_run(self) -> bool:
        """Runs are resumed from their event log."""
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether a run is on its way is known."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """A run is healthy while the orchestrator drives it."""
        running = WorkerStatus.RUNNING if self._is_driven(run.run_id) else WorkerStatus.NOT_FOUND
        return CheckRunHealthResult(running)


def _project_of(run: DagsterRun) -> str:
    origin = run.remote_job_origin
    if origin is None:
        raise RefusedError("The run names no code location.", remedy="Launch it through the node.")
    return str(origin.location_name)


def _same_project(one: DagsterRun, other: DagsterRun) -> bool:
    return _project_of(one) == _project_of(other)


_SYSTEM_REQUESTERS: Mapping[str, str] = {
    SCHEDULE_NAME_TAG: "schedule",
    SENSOR_NAME_TAG: "sensor",
    BACKFILL_ID_TAG: "backfill",
}
