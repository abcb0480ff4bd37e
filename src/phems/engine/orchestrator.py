"""The orchestrator: one thread that drives many runs, woken by what happens and by nothing else.

It sleeps until a run is admitted, events are written (Postgres NOTIFY), an attempt ends, a run is
cancelled, or a moment comes that a run waits for. Which runs it drives is what the database says:
a run that was admitted and has not ended.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dagster import DagsterInstance

from phems.domain.capsules import GrantedData
from phems.engine._dagster import DagsterRun, DagsterRunStatus, RunsFilter
from phems.engine.counts import EngineCounts
from phems.engine.host_connection import StepEnd
from phems.engine.run_driver import DriverParts, RunDriver
from phems.engine.step_queue import StepQueue
from phems.engine.traces import RunSpans
from phems.engine.untold import without_message
from phems.errors import PhemsError, UnavailableError

_LOG = logging.getLogger("phems.orchestrator")
MAX_TROUBLES = 5
LATER_SECONDS = 2.0


@dataclass(frozen=True)
class Admitted:
    """A run that admission let through, and the code it was let through with.

    `tags` are to be put on its row: most often none, since a run is stamped when it is asked for. `data` are
    the data sources that its capsule names.
    """

    run_id: str
    project: str
    code_digest: str
    priority: int = 0
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)
    data: Mapping[str, GrantedData] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class _EventsWritten:
    run_id: str


@dataclass(frozen=True)
class _Cancel:
    run_id: str
    reason: str


class _Stop:
    pass


_Message = Admitted | _EventsWritten | StepEnd | _Cancel | _Stop


class Orchestrator:
    """Drives admitted runs to their end."""

    def __init__(
        self,
        instance: DagsterInstance,
        steps: StepQueue,
        on_run_end: Callable[[str], None],
        counts: EngineCounts | None = None,
        spans: RunSpans | None = None,
    ) -> None:
        self._instance = instance
        self._parts = DriverParts(instance, steps, counts or EngineCounts(), spans)
        self._steps = steps
        self._on_run_end = on_run_end
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._drivers: dict[str, RunDriver] = {}
        self._admissions: dict[str, Admitted] = {}
        self._later: dict[str, float] = {}
        self._troubles: Counter[str] = Counter()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to drive what has been admitted."""
        self._thread = threading.Thread(target=self._run, name="phems-orchestrator", daemon=True)
        self._thread.start()

    def admit(self, admitted: Admitted) -> None:
        """Drive this run from now on."""
        self._admissions[admitted.run_id] = admitted
        self._inbox.put(admitted)

    def events_written(self, run_id: str) -> None:
        """The run's event log has grown."""
        if run_id in self._drivers:
            self._inbox.put(_EventsWritten(run_id))

    def attempt_ended(self, end: StepEnd) -> None:
        """A step's process is gone."""
        self._inbox.put(end)

    def cancel(self, run_id: str, reason: str) -> None:
        """End a run: kill what runs, start nothing more."""
        self._inbox.put(_Cancel(run_id, reason))

    def driven(self) -> list[str]:
        """The runs that are driven now."""
        return list(self._drivers)

    def drives(self, run_id: str) -> bool:
        """Whether the run is on its way here: a cancellation must come after its beginning."""
        return run_id in self._admissions

    def data_of(self, run_id: str) -> Mapping[str, GrantedData] | None:
        """The data that a run was admitted with; None for one that is not on its way here."""
        admitted = self._admissions.get(run_id)
        return admitted.data if admitted is not None else None

    def runs_of(self, project: str, code_digest: str) -> list[str]:
        """The runs of this code that are on their way here."""
        return [
            admitted.run_id
            for admitted in list(self._admissions.values())
            if (admitted.project, admitted.code_digest) == (project, code_digest)
        ]

    def driving(self) -> int:
        """How many runs are on their way."""
        return len(self._drivers)

    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Stop driving; the runs go on when an orchestrator starts again: this one, or another."""
        if self._thread is not None:  # a start that failed earlier may never have come to it
            self._inbox.put(_Stop())
            self._thread.join()
            self._thread = None
        for known in (self._drivers, self._admissions, self._later, self._troubles):
            known.clear()

    def _run(self) -> None:
        while True:
            messages = self._take()
            if any(isinstance(message, _Stop) for message in messages):
                return
            self._turn(messages)

    def _turn(self, messages: list[_Message]) -> None:
        now = time.monotonic()
        again = [run_id for run_id, at in self._later.items() if at <= now]
        for run_id in again:
            del self._later[run_id]
        touched = self._handle_all([*(self._admissions[run_id] for run_id in again), *messages])
        touched |= {run_id for run_id, at in self._moments().items() if at <= time.monotonic()}
        for run_id in touched:
            self._advance(run_id)

    def _take(self) -> list[_Message]:
        """All messages there are; waits for the first until the next moment that a run waits for."""
        moments = self._moments().values()
        timeout = max(0.0, min(moments) - time.monotonic()) if moments else None
        messages: list[_Message] = []
        try:
            messages.append(self._inbox.get(timeout=timeout))
            while True:
                messages.append(self._inbox.get_nowait())
        except queue.Empty:
            return messages

    def _moments(self) -> dict[str, float]:
        of_drivers = {
            run_id: moment
            for run_id, driver in self._drivers.items()
            if (moment := driver.wake_at()) is not None
        }
        return {**of_drivers, **self._later}

    def _handle_all(self, messages: list[_Message]) -> set[str]:
        touched: set[str] = set()
        for message in messages:
            if isinstance(message, _Stop):
                continue
            try:
                if self._handle(message):
                    touched.add(message.run_id)
            except Exception as error:  # noqa: BLE001 (one run must not take the others with it)
                self._begin_later(message.run_id, error)
        return touched

    def _handle(self, message: Admitted | _EventsWritten | StepEnd | _Cancel) -> bool:
        """Take in one message; whether the run is to be looked at for it."""
        if isinstance(message, Admitted):
            self._begin(message)
            return True
        driver = self._drivers.get(message.run_id)
        if driver is None:
            return False
        if isinstance(message, StepEnd):
            return driver.attempt_ended(message)
        if isinstance(message, _Cancel):
            driver.is_cancelling = True
            self._stop(message.run_id, driver, message.reason)
        return True

    def _stop(self, run_id: str, driver: RunDriver, reason: str) -> None:
        driver.stop(reason)
        driver.take_back(self._steps.cancel_run(run_id))
        self._steps.kill_run(run_id)

    def _begin(self, admitted: Admitted) -> None:
        run = self._instance.get_run_by_id(admitted.run_id)
        if admitted.run_id in self._drivers:
            return
        if run is None or run.is_finished:
            self._admissions.pop(admitted.run_id, None)
            return
        driver = RunDriver(self._parts, run, admitted.project, admitted.code_digest, admitted.priority)
        self._drivers[admitted.run_id] = driver
        if run.status is DagsterRunStatus.CANCELING:
            driver.is_cancelling = True
            driver.stop("The run was being cancelled when the node stopped.")
        driver.begin()

    def _advance(self, run_id: str) -> None:
        driver = self._drivers.get(run_id)
        if driver is None:
            return
        try:
            driver.advance()
            if driver.is_overdue():
                self._stop(run_id, driver, "The run exceeded its maximum run time.")
                driver.advance()
            elif driver.is_stopping:
                self._steps.kill_run(run_id)  # again: a step may have been on its way to its host
        except Exception as error:  # noqa: BLE001 (one run must not take the others with it)
            self._begin_later(run_id, error)
            return
        if driver.is_done:
            self._forget(run_id)
        elif driver.take_freed():
            self._offer_slots(run_id)

    def _forget(self, run_id: str) -> None:
        self._drivers.pop(run_id, None)
        self._admissions.pop(run_id, None)
        self._troubles.pop(run_id, None)
        self._steps.run_ended(run_id)
        self._on_run_end(run_id)
        if self._parts.spans is not None:
            self._parts.spans.run_ended(run_id)
        self._offer_slots(run_id)

    def _offer_slots(self, freed_by: str) -> None:
        """Pool slots are free: runs that wait for one look now, not at their next pause."""
        for run_id, driver in list(self._drivers.items()):
            if run_id != freed_by and driver.waits_for_pool:
                driver.claim_again()
                self._advance(run_id)

    def _begin_later(self, run_id: str, error: Exception) -> None:
        """What was to be done for a run failed: it goes on from its event log, or is given up."""
        _LOG.warning("run %s met trouble:\n%s", run_id, without_message(error), extra={"run_id": run_id})
        self._drivers.pop(run_id, None)
        try:
            self._steps.let_go(run_id)
            run = self._instance.get_run_by_id(run_id)
            self._troubles[run_id] += 1  # the storage is there, so it counts
            if _is_final(error) or self._troubles[run_id] > MAX_TROUBLES:
                self._give_up(run_id, run, error)
                return
        except Exception as again:  # noqa: BLE001
            # Most likely the storage is away; without this thread every run would stand still.
            _LOG.error(
                "run %s is begun again later:\n%s", run_id, without_message(again), extra={"run_id": run_id}
            )
        if run_id in self._admissions:
            self._later[run_id] = time.monotonic() + LATER_SECONDS

    def _give_up(self, run_id: str, run: DagsterRun | None, error: Exception) -> None:
        """A run that cannot be driven must not hang and must not take others with it."""
        if run is not None and not run.is_finished:
            self._instance.event_log_storage.free_concurrency_slots_for_run(run_id)
            self._instance.report_run_failed(run, f"The node could not drive this run: {error}")
            if run_id in self._admissions:
                self._parts.counts.run_ended(self._admissions[run_id].project, "failure")
            self._steps.cancel_run(run_id)
            self._steps.kill_run(run_id)
        self._forget(run_id)


def _is_final(error: Exception) -> bool:
    # What was away may be back: a run that met a restart of Postgres goes on.
    return isinstance(error, PhemsError) and not isinstance(error, UnavailableError)


def unfinished_runs(instance: DagsterInstance) -> list[DagsterRun]:
    """The runs that were on their way when the control process stopped."""
    statuses = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    return list(instance.get_runs(RunsFilter(statuses=statuses)))
