"""What a process counts of steps that it performs: how many, how long, what CPU time runs are said to use.

The last is the word of hosts and pods, which run project code. See docs/adr/0051.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Literal, get_args

from phems.domain.metrics import Reading, pairs
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask
from phems.engine.step_runner import Starter

Ending = Literal["ended", "failed", "lost"]
"""Of a process. One that ended did its work; whether its step succeeded is in the run's log."""
RunOf = tuple[str, str]
"""A run, and its project."""
MOST_SECONDS = 1e9


def told_seconds(value: float) -> float:
    """CPU time as somebody tells it who may tell anything: nothing, rather than what cannot be."""
    return value if 0 <= value <= MOST_SECONDS else 0.0


class CountedStarter:
    """A `Starter` that counts; from any thread."""

    def __init__(self, starter: Starter, projects: Iterable[str]) -> None:
        self._starter = starter
        self._lock = threading.Lock()
        self._running = Counter[str](dict.fromkeys(projects, 0))
        self._seconds: dict[str, float] = dict.fromkeys(self._running, 0.0)
        self._ended = Counter[tuple[str, str]](dict.fromkeys(product(self._running, get_args(Ending)), 0))
        self._told: defaultdict[RunOf, float] = defaultdict(float)

    def expect(self, task: StepTask, run: str, known_state: str) -> None:
        """See `Starter`."""
        self._starter.expect(task, run, known_state)

    def start(self, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """See `StartTask`."""
        began = time.monotonic()

        def ended(end: StepEnd) -> None:
            ending: Ending = "lost" if end.is_lost else "failed" if end.status else "ended"
            with self._lock:
                self._running[task.project] -= 1
                self._seconds[task.project] = self._seconds.get(task.project, 0.0) + time.monotonic() - began
                self._ended[task.project, ending] += 1
                if seconds := told_seconds(end.cpu_seconds):
                    self._told[task.run_id, task.project] += seconds
            on_end(end)

        with self._lock:
            self._running[task.project] += 1
        is_on_its_way = self._starter.start(task, ended)
        if not is_on_its_way:
            with self._lock:
                self._running[task.project] -= 1
        return is_on_its_way

    def kill_run(self, run_id: str) -> None:
        """See `Starter`."""
        self._starter.kill_run(run_id)

    def take_told(self) -> Mapping[RunOf, float]:
        """The CPU seconds of runs that were told since this was last asked."""
        with self._lock:
            told, self._told = self._told, defaultdict(float)
        return told

    def read(self) -> Iterator[Reading]:
        """The numbers of now."""
        with self._lock:
            running, seconds, ended = dict(self._running), dict(self._seconds), dict(self._ended)
        yield Reading("worker_steps_running", _of_projects(running))
        yield Reading("worker_step_seconds", _of_projects(seconds))
        yield Reading("worker_steps_ended", pairs(ended, "project", "result"))


def _of_projects(numbers: Mapping[str, float]) -> list[tuple[Mapping[str, str], float]]:
    return [({"project": project}, number) for project, number in sorted(numbers.items())]
