"""Driving one run: from its stored plan and its event log alone, without the project's code.

The plan is rebuilt from the snapshot that Dagster stored with the run; `ActiveExecution`, Dagster's
own state machine, says what may run next. Everything else is read back from the event log, so that
a driver that is made anew (after a restart of the control process) goes on where the last one was.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain

from dagster import DagsterInstance

from phems.engine import run_events
from phems.engine._dagster import (
    MAX_RUNTIME_SECONDS_TAG,
    DagsterEvent,
    DagsterEventType,
    DagsterRun,
    DagsterRunStatus,
    ExecutionPlan,
    ExecutionStep,
    RetryMode,
    serialize_value,
)
from phems.engine.counts import AttemptResult, EngineCounts
from phems.engine.host_connection import StepEnd
from phems.engine.steady_clock import PoolClaims, SteadyExecution
from phems.engine.step_queue import StepQueue, StepTask
from phems.engine.step_state import StepStates
from phems.engine.traces import RunSpans
from phems.engine.untold import step_name
from phems.errors import IntegrityError

_LOG = logging.getLogger("phems.orchestrator")
PRIORITY_TAG = "dagster/priority"
MAX_LOST_STARTS = 2
LOOK_AGAIN_SECONDS = 1.0
# So many steps a run starts before it is the turn of others: one of ten thousand must not hold them up.
AT_ONCE = 50
PAGE = 1000
# What the state machine needs to know; everything else in a run's log passes it by.
_BEGINS = {DagsterEventType.STEP_START, DagsterEventType.STEP_RESTARTED}
_WATCHED = {
    *_BEGINS,
    DagsterEventType.STEP_OUTPUT,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_UP_FOR_RETRY,
    DagsterEventType.STEP_SKIPPED,
}


@dataclass(frozen=True)
class DriverParts:
    """What every driver shares."""

    instance: DagsterInstance
    steps: StepQueue
    counts: EngineCounts = field(default_factory=EngineCounts)
    spans: RunSpans | None = None
    """Tells of runs and attempts, where somebody wants traces."""


class RunDriver:
    """One run on its way. Not safe for use from several threads: the orchestrator's thread owns it."""

    def __init__(
        self, parts: DriverParts, run: DagsterRun, project: str, code_digest: str, run_priority: int = 0
    ) -> None:
        self.run = run
        self.project = project
        self.code_digest = code_digest
        self._parts = parts
        self._spans = parts.spans.steps_of(run, project) if parts.spans is not None else None
        self._run_text = serialize_value(run)
        self._priority = run_priority + _as_int(run.tags.get(PRIORITY_TAG))
        plan = _stored_plan(parts.instance, run)
        self._pools = PoolClaims(parts.instance, run)
        self._pools.__enter__()
        self._active = SteadyExecution(
            plan, retry_mode=RetryMode.ENABLED, instance_concurrency_context=self._pools
        )
        self._active.__enter__()
        self._context = run_events.OrchestrationContext(parts.instance, run)
        self._cursor: str | None = None
        self._attempts: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._in_flight: dict[str, int] = {}
        self._living: dict[str, int] = {}
        # Taken up in the belief that they have not begun; they may be those that asked for a retry just then.
        self._doubtful: set[str] = set()
        self._ready: deque[ExecutionStep] = deque()
        self._failed: list[DagsterEvent] = []
        self._deadline = _deadline(parts.instance, run)
        self._looked_at = 0.0
        self._freed_slots = False
        self._end_reason: str | None = None
        self.is_cancelling = False
        self.is_done = False

    def begin(self) -> None:
        """Report a new run's start, or take up one that another process drove before; then `advance`."""
        if self.run.status in {DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING}:
            self._resume()
        else:
            run_events.report_start(self._parts.instance, self.run)

    def _resume(self) -> None:
        # Replayed as they were written: what had finished stays finished, what was in flight is not.
        # The attempts before the events: one that ends in between has its end among the events. The other way
        # round it would be in neither, and its step would be started again.
        attempts = self._parts.steps.attempts_of(self.run.run_id)
        events = self._new_events()
        self._attempts = Counter(str(e.step_key) for e in events if e.event_type in _BEGINS)
        unbegun = {
            key for key, last in attempts.items() if last.is_open and last.attempt > self._attempts[key]
        }
        newest = {str(event.step_key): event for event in events}
        self._doubtful = {key for key in unbegun if key in newest and newest[key].is_step_up_for_retry}
        in_flight = self._active.rebuild_from_events(_effective(events, unbegun))
        self._failed = [event for event in events if event.is_step_failure]
        flying = {step.key for step in in_flight}
        for step_key, last in attempts.items():
            # One that has begun, and flies no more, ended in between.
            if last.is_open and (step_key in flying or step_key in unbegun):
                self._living[step_key] = last.attempt
            self._attempts[step_key] = max(self._attempts[step_key], last.attempt)
        if self.is_stopping:
            self._in_flight, self._living = self._living, {}
            return
        self._parts.instance.report_engine_event(
            "The control process was restarted; the run goes on from its event log.", self.run
        )
        for step in in_flight:
            if not self._adopt(step):
                self._forget_dynamic_outputs(step)
                self._ready.append(step)

    def _adopt(self, step: ExecutionStep) -> bool:
        """Take up an attempt that waits or runs in a worker, as its own; False when there is none."""
        attempt = self._living.pop(step.key, None)
        if attempt is not None:
            self._in_flight[step.key] = attempt
        return attempt is not None

    def advance(self) -> None:
        """Take in new events, start what may start, and end the run when nothing is left."""
        if self.is_done:
            return
        for event in self._new_events():
            self._handle(event)
        self._looked_at = time.monotonic()
        if self._end_reason is None:
            self._settle_skipped()
            steps = self._active.get_steps_to_execute()
            self._ready.extend(step for step in steps if not self._adopt(step))
            self._publish([self._ready.popleft() for _ in range(min(AT_ONCE, len(self._ready)))])
            self._tell_blocked()
            if self._active.is_complete:
                self._finish()
        elif not self._in_flight:
            self._finish_early()

    def stop(self, reason: str) -> None:
        """Start nothing more; the run ends when its running steps have ended."""
        self._end_reason = self._end_reason or reason

    def take_back(self, tasks: list[StepTask]) -> None:
        """Tasks that never started, after `stop`."""
        for task in tasks:
            self._in_flight.pop(task.step_key, None)

    def attempt_ended(self, end: StepEnd) -> bool:
        """A step's process is gone; its events, if it wrote any, are in the log already.

        False when that is no news: as a rule the events were read before the process had gone.
        """
        if self._in_flight.get(end.step_key) != end.attempt:
            return False
        for event in self._new_events():
            self._handle(event)
        if self._in_flight.get(end.step_key) == end.attempt:
            self._ended_silently(end)
        return True

    def _ended_silently(self, end: StepEnd) -> None:
        if self._end_reason is not None:
            del self._in_flight[end.step_key]
            return
        self._lost[end.step_key] += end.is_lost
        if end.is_lost:
            self._attempt_ended(end.step_key, "lost")
        step = self._active.get_step_by_key(end.step_key)
        if end.is_lost and self._lost[end.step_key] < MAX_LOST_STARTS:
            self._parts.instance.report_engine_event(
                "The step's host was lost under it; the step is started again.", self.run, step_key=step.key
            )
            self._forget_dynamic_outputs(step)
            self._publish([step])
            return
        if end.step_key in self._doubtful:
            self._doubtful.discard(end.step_key)
            self._publish([step])
            return
        # It stays in flight until this failure is read back from the log, like any other.
        run_events.report_lost_step(self._parts.instance, self.run, step, end)
        _LOG.warning(
            "step %s of run %s ended without a word",
            step_name(step.key),
            self.run.run_id,
            extra={"run_id": self.run.run_id, "project": self.project},
        )

    def wake_at(self) -> float | None:
        """When to look again though nothing happens: retries, pools, the deadline (`time.monotonic`)."""
        if self._ready and not self.is_stopping:
            return time.monotonic()
        if self.is_stopping or self.waits_for_pool:
            moments = [self._looked_at + LOOK_AGAIN_SECONDS]
        elif interval := self._active.sleep_interval():
            moments = [time.monotonic() + interval]  # below zero: the moment came meanwhile
        else:
            moments = []
        if self._deadline is not None and not self.is_stopping:
            moments.append(self._deadline)
        return min(moments) if moments else None

    def is_overdue(self) -> bool:
        """Whether the run has used up its time and nobody has stopped it yet."""
        is_late = self._deadline is not None and time.monotonic() >= self._deadline
        return is_late and not self.is_stopping and not self.is_done

    @property
    def is_stopping(self) -> bool:
        """Whether the run ends before its plan is done."""
        return self._end_reason is not None

    def take_freed(self) -> bool:
        """Whether a step has given back its place in a pool since this was last asked."""
        freed, self._freed_slots = self._freed_slots, False
        return freed

    def claim_again(self) -> None:
        """A place in a pool may be free."""
        self._pools.claim_again()

    @property
    def waits_for_pool(self) -> bool:
        """Whether a step waits for a slot that another run may free."""
        return bool(self._pools.has_pending_claims())

    def _new_events(self) -> list[DagsterEvent]:
        events: list[DagsterEvent] = []
        storage = self._parts.instance.event_log_storage
        while True:
            page = storage.get_records_for_run(self.run.run_id, self._cursor, of_type=_WATCHED, limit=PAGE)
            self._cursor = page.cursor
            events += [e for r in page.records if (e := r.event_log_entry.dagster_event) is not None]
            if not page.has_more:
                return events

    def _handle(self, event: DagsterEvent) -> None:
        step_key = str(event.step_key)
        if event.event_type in _BEGINS:
            self._doubtful.discard(step_key)  # more than that, starts matter to a resume alone
            return
        if event.is_step_skipped:
            return  # these are ours
        ends_step = event.is_step_success or event.is_step_failure or event.is_step_up_for_retry
        if ends_step and not self._is_in_flight(step_key):
            return
        self._active.handle_event(event)
        if event.is_step_failure:
            self._failed.append(event)
        if ends_step:
            self._count(event)
            self._in_flight.pop(step_key, None)
            if self._active.get_step_by_key(step_key).pool is not None:
                self._freed_slots = True
                self._pools.claim_again()

    def _count(self, event: DagsterEvent) -> None:
        retries = event.is_step_up_for_retry
        result: AttemptResult = "success" if event.is_step_success else "retry" if retries else "failure"
        self._attempt_ended(str(event.step_key), result)

    def _attempt_ended(self, step_key: str, result: AttemptResult) -> None:
        self._parts.counts.attempt_ended(self.project, result)
        if self._spans is not None:
            self._spans.ended(step_key, self._in_flight.get(step_key, self._attempts[step_key]), result)

    def _is_in_flight(self, step_key: str) -> bool:
        return step_key in self._in_flight or self._end_reason is not None

    def _settle_skipped(self) -> None:
        # The events are written by being made: Dagster's constructors log them to the instance.
        # It skips, then gives up: a step given up may be the last that one to be skipped waited for.
        is_settled = False
        while not is_settled:
            for _event in self._active.plan_events_iterator(self._context):  # type: ignore[arg-type]
                pass
            is_settled = not self._active._pending_skip  # noqa: SLF001 - what its next round would skip

    def _tell_blocked(self) -> None:
        for _event in self._active.concurrency_event_iterator(self._context):  # type: ignore[arg-type]
            pass

    def _forget_dynamic_outputs(self, step: ExecutionStep) -> None:
        """A step that was lost starts again: dynamic outputs that it gave before do not count twice."""
        self._active._prep_for_dynamic_outputs(step)  # noqa: SLF001 - Dagster's own does it at each start

    def _publish(self, steps: Sequence[ExecutionStep]) -> None:
        if not steps:
            return
        # Asked once for all of them: it is as long as what the run has given so far.
        states = StepStates(self._active.get_known_state())
        for step in steps:
            self._attempts[step.key] += 1
            attempt = self._attempts[step.key]
            self._in_flight[step.key] = attempt
            if self._spans is not None:
                self._spans.published(step.key, attempt)
            task = StepTask(
                project=self.project,
                code_digest=self.code_digest,
                run_id=self.run.run_id,
                step_key=step.key,
                attempt=attempt,
                priority=self._priority + _as_int(step.tags.get(PRIORITY_TAG)),
            )
            self._parts.steps.publish(task, self._run_text, serialize_value(states.of(step)))

    def _finish(self) -> None:
        self.is_done = True
        self._pools.__exit__(None, None, None)
        run_events.report_end(self._parts.instance, self.run, self._failed)
        self._parts.counts.run_ended(self.project, "failure" if self._failed else "success")

    def _finish_early(self) -> None:
        self.is_done = True
        self._pools.__exit__(None, None, None)
        self._parts.instance.event_log_storage.free_concurrency_slots_for_run(self.run.run_id)
        if self.is_cancelling:
            self._parts.instance.report_run_canceled(self.run, self._end_reason)
        else:
            self._parts.instance.report_run_failed(self.run, self._end_reason)
        self._parts.counts.run_ended(self.project, "canceled" if self.is_cancelling else "failure")


def _stored_plan(instance: DagsterInstance, run: DagsterRun) -> ExecutionPlan:
    if run.execution_plan_snapshot_id is None:
        raise IntegrityError(f"Run {run.run_id} has no stored plan.", remedy="Launch it again.")
    snapshot = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    return ExecutionPlan.rebuild_from_snapshot(run.job_name, snapshot)


def _effective(events: list[DagsterEvent], unbegun: Collection[str]) -> list[DagsterEvent]:
    """The events that moved the state machine.

    Without those that it makes itself, without what a lost attempt gave before another began, and without
    pauses before a retry that are over: the next attempt has begun, or is `unbegun` and on its way.
    """
    kept: dict[int, DagsterEvent] = {}
    given: dict[str, list[int]] = defaultdict(list)
    pausing: dict[str, int] = {}
    for number, event in enumerate(events):
        step_key = str(event.step_key)
        if event.event_type in _BEGINS:
            for earlier in given.pop(step_key, ()):
                del kept[earlier]
            if step_key in pausing:
                _end_pause(kept, pausing.pop(step_key))
        elif not event.is_step_skipped:
            kept[number] = event
            if event.is_successful_output:
                given[step_key].append(number)
            elif event.is_step_up_for_retry:
                pausing[step_key] = number
    for earlier in chain.from_iterable(given[step_key] for step_key in given.keys() & unbegun):
        del kept[earlier]
    for step_key in pausing.keys() & unbegun:
        _end_pause(kept, pausing[step_key])
    return list(kept.values())


def _end_pause(kept: dict[int, DagsterEvent], number: int) -> None:
    # Dagster's state machine would begin the pause anew, and take no event of the step until it is over.
    at_once = kept[number].step_retry_data._replace(seconds_to_wait=None)
    kept[number] = kept[number]._replace(event_specific_data=at_once)


def _deadline(instance: DagsterInstance, run: DagsterRun) -> float | None:
    seconds = _as_int(run.tags.get(MAX_RUNTIME_SECONDS_TAG))
    if seconds <= 0:
        return None
    # What is left is told by the clock of the wall once; a clock that is set later changes nothing of it.
    record = instance.get_run_record_by_id(run.run_id)
    now = time.time()
    return time.monotonic() + seconds - (now - ((record and record.start_time) or now))


def _as_int(value: str | None) -> int:
    try:
        return int(value or 0)
    except ValueError:
        return 0
