"""Messages on their way to the broker: a line for each project, and each project's turn comes round.

Who has ten thousand steps to send holds up nobody else by more than one message. Within a line the order is
that of the queue itself: by priority, then by age.
"""

from __future__ import annotations

import heapq
import itertools
import threading

from phems.engine.step_queue import StepTask

_Line = list[tuple[int, int, StepTask]]


class Outbox:
    """Filled by many threads, emptied by one."""

    def __init__(self) -> None:
        # The first of them is the next whose turn it is; who has had it goes to the end.
        self._lines: dict[str, _Line] = {}
        self._in_hand: str | None = None
        self._age = itertools.count()
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, task: StepTask) -> None:
        """Have it sent soon."""
        with self._changed:
            heapq.heappush(self._lines.setdefault(task.project, []), (-task.priority, next(self._age), task))
            self._changed.notify()

    def take(self) -> StepTask | None:
        """Wait for the next; whoever asks is done with the one before. None: closed, and nothing is left."""
        with self._changed:
            self._in_hand = None
            self._changed.wait_for(lambda: self._lines or self._is_closed)
            if not self._lines:
                return None
            project = next(iter(self._lines))
            line = self._lines.pop(project)
            _, _, task = heapq.heappop(line)
            if line:
                self._lines[project] = line
            self._in_hand = project
            return task

    def unsent(self, project: str) -> int:
        """How many of a project's are not with the broker yet; the one in hand counts."""
        with self._changed:
            return len(self._lines.get(project, ())) + (self._in_hand == project)

    def drop(self, run_id: str) -> None:
        """Send nothing more of a run."""
        with self._changed:
            for project, line in list(self._lines.items()):
                line[:] = [entry for entry in line if entry[2].run_id != run_id]
                heapq.heapify(line)
                if not line:
                    del self._lines[project]

    def close(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Send nothing more of what waits."""
        with self._changed:
            self._lines.clear()
            self._changed.notify_all()
