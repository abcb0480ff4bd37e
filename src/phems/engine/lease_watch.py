"""Looks after the leases, in the process that leads: workers that are gone, and messages that are.

A worker is lost when it has not beaten while this process watched, by this process's own clock, and the
database answered all that time: neither a clock that is set nor a database that restarts loses one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from phems.engine.host_connection import StepEnd
from phems.engine.leases import OrchestratorLeases
from phems.engine.step_queue import StepTask

_LOG = logging.getLogger("phems.steps")
LOOK_SECONDS = 1.0
LOST_SECONDS = 6.0
# Longer than a message takes that was sent: before that nobody looks for it.
UNSENT_SECONDS = 3.0
TOLD_AGAIN_SECONDS = 15.0


@dataclass(frozen=True)
class WatchParts:
    """What the watch stands on."""

    leases: OrchestratorLeases
    queue_lengths: Callable[[Collection[str]], Mapping[str, int]]
    """How many messages of these projects wait, sent or not; without those that cannot be reached."""
    send: Callable[[StepTask], None]
    driven: Callable[[], Collection[str]]
    """The runs that are driven here."""
    on_end: Callable[[StepEnd], None]


class LeaseWatch:
    """One look after the other, in a thread of its own, until closed."""

    def __init__(self, parts: WatchParts, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._beats: dict[str, tuple[int, float]] = {}
        self._sent: dict[tuple[str, str, int], float] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="phems-leases", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """One look: lose who does not beat, send again what is gone, tell what may not have been heard."""
        try:
            self._lose_silent_workers()
            self._send_again()
            for end in self._parts.leases.ended(self._parts.driven(), TOLD_AGAIN_SECONDS):
                self._parts.on_end(end)
        except Exception as error:  # noqa: BLE001 (the database is away, most likely)
            # What was seen before says nothing of who was silent since: it may have been the database.
            self._beats.clear()
            _LOG.warning("the leases could not be looked at (%s)", type(error).__name__)

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            self.look()

    def _lose_silent_workers(self) -> None:
        now = self._clock()
        beats = {beat.facts.id: beat.beats for beat in self._parts.leases.workers()}
        seen = {
            worker: self._beats[worker] if self._beats.get(worker, (-1, 0.0))[0] == count else (count, now)
            for worker, count in beats.items()
        }
        for worker, (_, since) in list(seen.items()):
            if now - since >= LOST_SECONDS:
                del seen[worker]
                _LOG.warning("worker %s is lost: it has not been heard of for %.0f s", worker, now - since)
                for end in self._parts.leases.lose(worker):
                    self._parts.on_end(end)
        self._beats = seen

    def _send_again(self) -> None:
        now = self._clock()
        self._sent = {key: at for key, at in self._sent.items() if now - at < LOST_SECONDS}
        # Counted first: of ten thousand that wait as they should, none needs to be read.
        waiting = self._parts.leases.count_waiting(UNSENT_SECONDS)
        lengths = self._parts.queue_lengths(waiting.keys()) if waiting else {}
        for project, count in waiting.items():
            missing = count - lengths.get(project, count)
            if missing <= 0:
                continue
            tasks = self._parts.leases.waiting(project, UNSENT_SECONDS)
            due = [task for task in tasks if task.key not in self._sent]
            # No more than are missing: those that a busy worker holds, and has not begun, are among them.
            again = due[:missing]
            if again:
                _LOG.warning("%d messages of %s are missing from its queue: sent again", len(again), project)
            for task in again:
                self._sent[task.key] = now
                self._parts.send(task)
