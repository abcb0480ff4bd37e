"""Traces of runs: the port that spans are told to, and what tells them of runs and of step attempts.

All of it happens on the control side of the wall, from what is seen there. Project code has no part in it: it
exports nothing, and is told of no trace. A node without `telemetry` has none of these objects.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from dagster import DagsterInstance

from phems.domain.traces import Place, RunTrace, Span, Value
from phems.engine._dagster import DagsterRun, DagsterRunStatus, deserialize_value
from phems.engine.counts import AttemptResult
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask
from phems.engine.step_runner import Starter
from phems.engine.tags import PROJECT_TAG, TRACE_TAG
from phems.engine.untold import step_name

_LOG = logging.getLogger("phems.traces")
RUNS_KEPT = 64
_RESULTS: Mapping[DagsterRunStatus, str] = {
    DagsterRunStatus.SUCCESS: "success",
    DagsterRunStatus.FAILURE: "failure",
    DagsterRunStatus.CANCELED: "canceled",
}

# The request that this thread or task works for, when it is traced: the gateway sets it.
current_request: ContextVar[Place | None] = ContextVar("phems_traced_request", default=None)


class Traces(Protocol):
    """Takes spans that have ended; returns at once, from any thread, and never raises."""

    def ended(self, span: Span) -> None:
        """One span."""
        ...


def trace_tags() -> Mapping[str, str]:
    """The tags by which a run that is asked for now is found to be part of its request's trace."""
    place = current_request.get()
    return {TRACE_TAG: place.traceparent} if place is not None else {}


class RunSpans:
    """Tells of runs that this process drives, and of the attempts at their steps."""

    def __init__(self, instance: DagsterInstance, traces: Traces) -> None:
        self._instance = instance
        self._traces = traces

    def steps_of(self, run: DagsterRun, project: str) -> AttemptSpans:
        """Who is told of the steps of a run."""
        return AttemptSpans(RunTrace.of(run.run_id, run.tags.get(TRACE_TAG)), project, self._traces)

    def run_ended(self, run_id: str) -> None:
        """The run has ended. A trace is not worth the orchestrator's thread: what goes wrong is logged."""
        try:
            self._tell(run_id)
        except Exception:  # noqa: BLE001
            _LOG.warning("the trace of run %s is not told", run_id, exc_info=True, extra={"run_id": run_id})

    def _tell(self, run_id: str) -> None:
        record = self._instance.get_run_record_by_id(run_id)
        if record is None:
            return
        run = record.dagster_run
        trace = RunTrace.of(run_id, run.tags.get(TRACE_TAG))
        asked_for = record.create_timestamp.timestamp()
        attributes: dict[str, Value] = {
            "phems.project": run.tags.get(PROJECT_TAG, ""),
            "phems.run.id": run_id,
            "phems.result": _RESULTS.get(run.status, "unknown"),
        }
        if record.start_time is not None:
            attributes["phems.run.queued_seconds"] = round(max(0.0, record.start_time - asked_for), 3)
        is_error = run.status is DagsterRunStatus.FAILURE
        began = int(asked_for * 1e9)
        span = Span("run", trace.run, trace.parent, began, time.time_ns(), attributes, is_error=is_error)
        self._traces.ended(span)


class AttemptSpans:
    """Tells of the attempts at one run's steps, as who drives it sees them."""

    def __init__(self, trace: RunTrace, project: str, traces: Traces) -> None:
        self._trace = trace
        self._project = project
        self._traces = traces
        self._known_since = time.time_ns()
        self._published: dict[tuple[str, int], int] = {}
        self._told: set[tuple[str, int]] = set()

    def published(self, step_key: str, attempt: int) -> None:
        """An attempt was ordered."""
        self._published[step_key, attempt] = time.time_ns()

    def ended(self, step_key: str, attempt: int, result: AttemptResult) -> None:
        """It has ended. One that another process ordered is known since this one took up the run."""
        if (step_key, attempt) in self._told:
            return  # one that was lost, and whose failure the driver wrote itself
        self._told.add((step_key, attempt))
        began = self._published.pop((step_key, attempt), self._known_since)
        place = self._trace.of_step("step attempt", step_key, attempt)
        attributes = {
            **_attempt(self._project, self._trace.run_id, step_key, attempt),
            "phems.result": result,
        }
        is_error = result != "success"
        self._traces.ended(
            Span("step attempt", place, self._trace.run, began, time.time_ns(), attributes, is_error=is_error)
        )


@dataclass
class _OnItsWay:
    trace: RunTrace
    expected: int = field(default_factory=time.time_ns)
    begun: int | None = None


class TracedStarter:
    """A `Starter` that tells two spans of each attempt: its time in the worker, and its process."""

    def __init__(self, starter: Starter, traces: Traces) -> None:
        self._starter = starter
        self._traces = traces
        self._expected: dict[tuple[str, str, int], _OnItsWay] = {}
        self._trace_of = lru_cache(RUNS_KEPT)(_trace_of)

    def expect(self, task: StepTask, run: str, known_state: str) -> None:
        """See `Starter`."""
        self._expected[task.key] = _OnItsWay(self._trace_of(run))
        self._starter.expect(task, run, known_state)

    def start(self, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """See `StartTask`."""
        way = self._expected.get(task.key)
        if way is None:
            return self._starter.start(task, on_end)

        def ended(end: StepEnd) -> None:
            if self._expected.pop(task.key, None) is not None:
                self._tell(task, way, end)
            on_end(end)

        way.begun = time.time_ns()
        is_on_its_way = self._starter.start(task, ended)
        if not is_on_its_way:
            way.begun = None
        return is_on_its_way

    def kill_run(self, run_id: str) -> None:
        """See `Starter`."""
        for key, way in list(self._expected.items()):
            if key[0] == run_id and way.begun is None:
                self._expected.pop(key, None)  # it will not start
        self._starter.kill_run(run_id)

    def _tell(self, task: StepTask, way: _OnItsWay, end: StepEnd) -> None:
        now, trace = time.time_ns(), way.trace
        known = _attempt(task.project, *task.key)
        is_error = end.is_lost or end.status != 0
        parent, worker, process = (
            trace.of_step(kind, task.step_key, task.attempt)
            for kind in ("step attempt", "step in worker", "step process")
        )
        self._traces.ended(
            Span("step in worker", worker, parent, way.expected, now, known, is_error=is_error)
        )
        if end.note and not end.cpu_seconds:
            return  # it never had one
        told = {
            "phems.told.exit_status": end.status,
            "phems.told.cpu_seconds": end.cpu_seconds,
            "phems.told.max_rss_kib": end.max_rss_kib,
        }
        began = way.begun or way.expected
        self._traces.ended(
            Span("step process", process, worker, began, now, {**known, **told}, is_error=is_error)
        )


def _attempt(project: str, run_id: str, step_key: str, attempt: int) -> dict[str, Value]:
    return {
        "phems.project": project,
        "phems.run.id": run_id,
        "phems.step": step_name(step_key),
        "phems.step.attempt": attempt,
    }


def _trace_of(run: str) -> RunTrace:
    found = deserialize_value(run, DagsterRun)
    return RunTrace.of(found.run_id, found.tags.get(TRACE_TAG))
