"""The step queue of the embedded profile: in this process, bounded per project."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import defaultdict
from collections.abc import Callable

from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StartTask, StepTask

_Entry = tuple[int, int, StepTask]


class InProcessQueue:
    """See `StepQueue`. `concurrency(project)` is how many of its steps may run at once."""

    def __init__(
        self, concurrency: Callable[[str], int], start: StartTask, on_end: Callable[[StepEnd], None]
    ) -> None:
        self._concurrency = concurrency
        self._start = start
        self._on_end = on_end
        self._waiting: dict[str, list[_Entry]] = defaultdict(list)
        self._running: dict[str, int] = defaultdict(int)
        self._order = itertools.count()
        self._pumping: set[str] = set()
        self._asked: set[str] = set()
        self._lock = threading.RLock()

    def publish(self, task: StepTask) -> None:
        """Queue one attempt."""
        with self._lock:
            heapq.heappush(self._waiting[task.project], (-task.priority, next(self._order), task))
        self.pump(task.project)

    def cancel_run(self, run_id: str) -> list[StepTask]:
        """Take back a run's tasks that have not started."""
        with self._lock:
            taken: list[StepTask] = []
            for project, entries in self._waiting.items():
                taken += [task for _, _, task in entries if task.run_id == run_id]
                kept = [entry for entry in entries if entry[2].run_id != run_id]
                heapq.heapify(kept)
                self._waiting[project] = kept
            return taken

    def pump(self, project: str) -> None:
        """Start what may start: called when a task comes, one ends, or a host becomes ready."""
        # One thread at a time, and not within itself: a task may end before its start has returned.
        with self._lock:
            self._asked.add(project)
            if project in self._pumping:
                return
            self._pumping.add(project)
        try:
            while self._is_asked(project):
                self._start_all(project)
        except BaseException:
            with self._lock:
                self._pumping.discard(project)
            raise

    def _is_asked(self, project: str) -> bool:
        with self._lock:
            asked = project in self._asked
            self._asked.discard(project)
            if not asked:
                self._pumping.discard(project)
            return asked

    def _start_all(self, project: str) -> None:
        while True:
            with self._lock:
                waiting = self._waiting[project]
                if not waiting or self._running[project] >= self._concurrency(project):
                    return
                entry = heapq.heappop(waiting)
                self._running[project] += 1
            if not self._start(entry[2], self._ended):
                with self._lock:
                    self._running[project] -= 1
                    heapq.heappush(self._waiting[project], entry)
                return

    def depths(self) -> dict[str, tuple[int, int]]:
        """Per project: how many wait, how many run."""
        with self._lock:
            names = sorted({*self._waiting, *self._running})
            return {name: (len(self._waiting[name]), self._running[name]) for name in names}

    def _ended(self, end: StepEnd) -> None:
        with self._lock:
            self._running[end.project] -= 1
        self._on_end(end)
        self.pump(end.project)
