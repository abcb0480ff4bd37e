"""What a worker process counts of the attempts that it performs."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal, get_args

from phems.domain.metrics import Reading
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask
from phems.engine.step_runner import Starter

Ending = Literal["ended", "failed", "lost"]
"""Of a process. One that ended did its work; whether its step succeeded is in the run's log."""


class CountedStarter:
    """A `Starter` that counts. One project's, from any thread."""

    def __init__(self, starter: Starter, project: str) -> None:
        self._starter = starter
        self._project = project
        self._lock = threading.Lock()
        self._running = 0
        self._seconds = 0.0
        self._ended = Counter[str](dict.fromkeys(get_args(Ending), 0))

    def expect(self, task: StepTask, run: str, known_state: str) -> None:
        """See `Starter`."""
        self._starter.expect(task, run, known_state)

    def start(self, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """See `StartTask`."""
        began = time.monotonic()

        def ended(end: StepEnd) -> None:
            ending: Ending = "lost" if end.is_lost else "failed" if end.status else "ended"
            with self._lock:
                self._running -= 1
                self._seconds += time.monotonic() - began
                self._ended[ending] += 1
            on_end(end)

        with self._lock:
            self._running += 1
        is_on_its_way = self._starter.start(task, ended)
        if not is_on_its_way:
            with self._lock:
                self._running -= 1
        return is_on_its_way

    def kill_run(self, run_id: str) -> None:
        """See `Starter`."""
        self._starter.kill_run(run_id)

    def read(self) -> Iterator[Reading]:
        """The numbers of now."""
        project = {"project": self._project}
        with self._lock:
            running, seconds, ended = self._running, self._seconds, dict(self._ended)
        yield Reading("worker_steps_running", [(project, running)])
        yield Reading("worker_step_seconds", [(project, seconds)])
        yield Reading(
            "worker_steps_ended", [({**project, "result": result}, count) for result, count in ended.items()]
        )
