"""The events of a run that the orchestrator itself writes, in Dagster's own forms."""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass
from typing import Any

from dagster import DagsterInstance

from phems.engine._dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterRun,
    ErrorSource,
    ExecutionStep,
    JobFailureData,
    RunFailureReason,
    SerializableErrorInfo,
    StepFailureData,
    create_context_free_log_manager,
)
from phems.engine.host_connection import StepEnd


@dataclass(frozen=True)
class StepOrchestrationContext:
    """What Dagster's event constructors ask of a step's context."""

    instance: DagsterInstance
    dagster_run: DagsterRun
    step: ExecutionStep
    log: Any

    @property
    def job_name(self) -> str:
        """The name of the run's job."""
        return self.dagster_run.job_name

    @property
    def run_id(self) -> str:
        """The run."""
        return self.dagster_run.run_id

    @property
    def event_tags(self) -> dict[str, str]:
        """The tags that events carry."""
        return {key: str(value) for key, value in self.log.metadata.items() if key != "job_tags"}


class OrchestrationContext:
    """What `ActiveExecution` asks of a plan's context when it skips or abandons steps."""

    def __init__(self, instance: DagsterInstance, run: DagsterRun) -> None:
        self.instance = instance
        self.dagster_run = run
        self.log = create_context_free_log_manager(instance, run)

    def for_step(self, step: ExecutionStep) -> StepOrchestrationContext:
        """The context of one step."""
        log = self.log.with_tags(step_key=step.key)
        return StepOrchestrationContext(self.instance, self.dagster_run, step, log)


def report_start(instance: DagsterInstance, run: DagsterRun) -> None:
    """The run has started."""
    event = DagsterEvent(
        event_type_value=DagsterEventType.PIPELINE_START.value,
        job_name=run.job_name,
        message=f'Started execution of run for "{run.job_name}".',
    )
    instance.report_dagster_event(event, run.run_id)


def report_end(instance: DagsterInstance, run: DagsterRun, failed: list[DagsterEvent]) -> None:
    """The run has ended: as a failure when a step failed, otherwise as a success."""
    if failed:
        names = [str(event.step_key) for event in failed]
        data = JobFailureData(
            error=None, failure_reason=RunFailureReason.STEP_FAILURE, first_step_failure_event=failed[0]
        )
        message = f'Execution of run for "{run.job_name}" failed. Steps failed: {names}.'
        instance.report_run_failed(run, message, data)
        return
    event = DagsterEvent(
        event_type_value=DagsterEventType.PIPELINE_SUCCESS.value,
        job_name=run.job_name,
        message=f'Finished execution of run for "{run.job_name}".',
    )
    instance.report_dagster_event(event, run.run_id)


def report_lost_step(
    instance: DagsterInstance, run: DagsterRun, step: ExecutionStep, end: StepEnd
) -> DagsterEvent:
    """A step's process ended without saying how the step ended: a failure, with what is known."""
    reason = _reason(end)
    event = DagsterEvent(
        event_type_value=DagsterEventType.STEP_FAILURE.value,
        job_name=run.job_name,
        step_handle=step.handle,
        node_handle=step.node_handle,
        step_kind_value=step.kind.value,
        logging_tags={},
        event_specific_data=StepFailureData(  # type: ignore[no-untyped-call]
            error=SerializableErrorInfo(message=reason, stack=[], cls_name="StepProcessEnded"),
            user_failure_data=None,
            error_source=ErrorSource.UNEXPECTED_ERROR,
        ),
        message=f'Execution of step "{step.key}" failed. {reason}',
        step_key=step.key,
    )
    instance.report_dagster_event(event, run.run_id, logging.ERROR)
    return event


def report_about_step(instance: DagsterInstance, run_id: str, step_key: str, what: str) -> None:
    """The node has something to say of a step, for who reads the run's log."""
    run = instance.get_run_by_id(run_id)
    if run is not None:
        instance.report_engine_event(what, run, step_key=step_key)


def _reason(end: StepEnd) -> str:
    if end.note:
        return end.note
    if end.is_lost:
        return "The step's host was lost under it more than once."
    if end.status < 0:
        name = _signal_name(-end.status)
        hints = {
            "SIGKILL": " It was killed, perhaps for its use of memory.",
            "SIGXCPU": " It used up its CPU time (resources.cpu_seconds).",
            "SIGXFSZ": " It wrote a file larger than allowed (resources.file_size).",
        }
        return f"The step's process ended by {name}.{hints.get(name, '')}"
    return f"The step's process ended with exit code {end.status} and did not say how the step ended."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
