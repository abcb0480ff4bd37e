"""A worker's part for one message: take the lease, have the step performed, put on record how it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from phems.engine.host_connection import StepEnd
from phems.engine.leases import NotTaken, TakenStep, WorkerLeases
from phems.engine.step_queue import StepTask
from phems.engine.untold import without_message
from phems.errors import UnavailableError

_LOG = logging.getLogger("phems.steps")
# Room may come by a step's end in another worker, of which nobody tells.
LOOK_AGAIN_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class Starter(Protocol):
    """Starts attempts and ends them: in forks of hosts, or in pods."""

    def expect(self, task: StepTask, run: str, known_state: str) -> None:
        """Keep what a task needs beside its name, until it starts."""
        ...

    def start(self, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """See `StartTask`."""
        ...

    def kill_run(self, run_id: str) -> None:
        """End the processes of a run's steps."""
        ...


@dataclass
class _Waiting:
    """An attempt on its way to a host that is not ready."""

    run_id: str
    is_killed: bool = False


class StepRunner:
    """Performs attempts; `perform` is called by many threads at once, one for each message.

    `run_text(run_id)` is the run as a step is told of it; `limit` how many steps of the project may run.
    """

    def __init__(
        self,
        leases: WorkerLeases,
        worker: Starter,
        run_text: Callable[[str], str | None],
        limit: int,
    ) -> None:
        self._leases = leases
        self._worker = worker
        self._run_text = run_text
        self._limit = limit
        self._changed = threading.Condition()
        self._on_their_way: dict[int, _Waiting] = {}
        self._closing = False

    def perform(self, run_id: str, step_key: str, attempt: int) -> bool:
        """Perform an attempt until it has ended; False when the message must be given back."""
        taken = self._take(run_id, step_key, attempt)
        if taken is None:
            return False
        if isinstance(taken, TakenStep):
            self._record(self._end_of(taken))
        return True

    def kill_run(self, run_id: str) -> None:
        """End a run's steps here, those too that wait for their host."""
        with self._changed:
            for waiting in self._on_their_way.values():
                waiting.is_killed = waiting.is_killed or waiting.run_id == run_id
            self._changed.notify_all()
        self._worker.kill_run(run_id)

    def host_changed(self) -> None:
        """A host may be ready now."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Begin nothing more: messages that wait for room are given back."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _take(self, run_id: str, step_key: str, attempt: int) -> TakenStep | NotTaken | None:
        """The attempt, or that it is nobody's to take any more; None when this worker is closing."""
        pauses = _pauses()
        while not self._closing:
            try:
                taken = self._leases.take(run_id, step_key, attempt, self._limit)
            except UnavailableError:
                time.sleep(next(pauses))
                continue
            if taken is not NotTaken.BUSY:
                return taken
            with self._changed:
                self._changed.wait(LOOK_AGAIN_SECONDS)
        return None

    def _end_of(self, taken: TakenStep) -> StepEnd:
        """Whatever goes wrong here ends the attempt: it is this worker's, and nobody else would."""
        try:
            return self._run(taken)
        except Exception as error:  # noqa: BLE001
            what = without_message(error)
            _LOG.error(
                "a step of run %s could not be started:\n%s",
                taken.task.run_id,
                what,
                extra={"run_id": taken.task.run_id, "project": taken.task.project},
            )
            return _not_started(taken.task, f"Its worker could not start it ({type(error).__name__}).")

    def _run(self, taken: TakenStep) -> StepEnd:
        task = taken.task
        run = self._run_text(task.run_id)
        if run is None:
            return _not_started(task, "Its run is gone.")
        self._worker.expect(task, run, taken.known_state)
        ends: list[StepEnd] = []
        ended = threading.Event()

        def on_end(end: StepEnd) -> None:
            ends.append(end)
            ended.set()

        waiting = _Waiting(task.run_id)
        with self._changed:
            self._on_their_way[id(waiting)] = waiting
        try:
            while not self._worker.start(task, on_end):
                with self._changed:
                    if not waiting.is_killed:
                        self._changed.wait(LOOK_AGAIN_SECONDS)
                if waiting.is_killed:
                    return _not_started(task, "The run was ended before its step could start.")
        finally:
            with self._changed:
                del self._on_their_way[id(waiting)]
        ended.wait()
        return ends[0]

    def _record(self, end: StepEnd) -> None:
        """Until it is on record: a step that ended and of which nobody hears would be waited for in vain."""
        for pause in _pauses():
            try:
                if not self._leases.end(end):
                    _LOG.warning(
                        "the end of a step of run %s is not this worker's to tell",
                        end.run_id,
                        extra={"run_id": end.run_id, "project": end.project},
                    )
                break
            except UnavailableError:
                time.sleep(pause)
        self.host_changed()  # there is room for another


def _pauses() -> Iterator[float]:
    """While the database is away: bounded by nothing, since nothing else can be done."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _not_started(task: StepTask, note: str) -> StepEnd:
    return StepEnd(task.project, task.run_id, task.step_key, task.attempt, status=1, is_lost=False, note=note)
