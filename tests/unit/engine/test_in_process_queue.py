"""The step queue of one process: urgent first, then oldest, never more at once than the project may."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from phems.engine.host_connection import StepEnd
from phems.engine.in_process_queue import InProcessQueue
from phems.engine.step_queue import StepTask

Told = Callable[[StepEnd], None]


def task(name: str, priority: int = 0, project: str = "p", run_id: str = "r") -> StepTask:
    return StepTask(project, "digest", run_id, name, 1, priority)


def end_of(ended: StepTask) -> StepEnd:
    return StepEnd(ended.project, ended.run_id, ended.step_key, ended.attempt, 0, is_lost=False)


class Workers:
    """Starts tasks and ends them when told to; refuses while `is_ready` is false."""

    def __init__(self, concurrency: int = 2) -> None:
        self.running: dict[str, tuple[StepTask, Told]] = {}
        self.started: list[str] = []
        self.ended: list[str] = []
        self.is_ready = True
        self.most = 0
        self.queue = InProcessQueue(
            lambda _project: concurrency, self.start, lambda end: self.ended.append(end.step_key)
        )

    def start(self, started: StepTask, on_end: Told) -> bool:
        if not self.is_ready:
            return False
        self.started.append(started.step_key)
        self.running[started.step_key] = (started, on_end)
        self.most = max(self.most, len(self.running))
        return True

    def end(self, name: str) -> None:
        ended, on_end = self.running.pop(name)
        on_end(end_of(ended))


@given(st.lists(st.integers(-3, 3), max_size=20), st.integers(1, 4), st.randoms())
def test_tasks_start_by_priority_then_age_within_the_limit(
    priorities: list[int], concurrency: int, random: object
) -> None:
    """Otherwise an urgent step waits behind a long row, or a project takes the whole machine."""
    workers = Workers(concurrency)
    workers.is_ready = False
    for number, priority in enumerate(priorities):
        workers.queue.publish(task(str(number), priority))
    workers.is_ready = True
    workers.queue.pump("p")
    while workers.running:
        workers.end(random.choice(sorted(workers.running)))  # type: ignore[attr-defined]
    expected = [str(n) for n, _ in sorted(enumerate(priorities), key=lambda item: (-item[1], item[0]))]
    assert workers.started == expected
    assert sorted(workers.ended) == sorted(expected)
    assert workers.most <= concurrency


def test_a_project_s_full_row_does_not_stop_another_project() -> None:
    """Otherwise one busy project stands in everybody's way."""
    workers = Workers(concurrency=1)
    for name in ("a", "b"):
        workers.queue.publish(task(name))
    workers.queue.publish(task("other", project="q"))
    assert workers.started == ["a", "other"]
    assert workers.queue.depths() == {"p": (1, 1), "q": (0, 1)}


def test_what_has_not_started_can_be_taken_back_and_the_rest_keeps_its_order() -> None:
    """Otherwise a cancelled run starts steps, or takes another run's with it."""
    workers = Workers(concurrency=1)
    for name, run_id, priority in (("a", "r", 0), ("b", "x", 0), ("c", "r", 0), ("d", "x", 5), ("e", "x", 1)):
        workers.queue.publish(task(name, priority, run_id=run_id))
    assert {taken.step_key for taken in workers.queue.cancel_run("r")} == {"c"}
    while workers.running:
        workers.end(workers.started[-1])
    assert workers.started == ["a", "d", "e", "b"]
    assert workers.queue.cancel_run("r") == []


def test_a_task_whose_host_is_not_ready_keeps_its_place() -> None:
    """Otherwise a host's restart puts the oldest step at the end of the row, or loses it."""
    workers = Workers(concurrency=1)
    workers.is_ready = False
    workers.queue.publish(task("first"))
    workers.queue.publish(task("second"))
    assert workers.queue.depths() == {"p": (2, 0)}
    workers.is_ready = True
    workers.queue.pump("p")
    assert workers.started == ["first"]


def test_a_long_row_of_tasks_that_end_at_once_is_worked_off() -> None:
    """Otherwise a host that does not load fails three hundred steps and then the node's own thread."""
    ended: list[StepEnd] = []

    def start(started: StepTask, on_end: Told) -> bool:
        on_end(end_of(started))
        return True

    queue = InProcessQueue(lambda _project: 0 if not ready else 1, start, ended.append)
    ready = False
    for number in range(3000):
        queue.publish(task(str(number)))
    ready = True
    queue.pump("p")
    assert len(ended) == 3000


def test_an_error_of_a_start_does_not_stop_the_queue() -> None:
    """Otherwise one bad task ends a project's work until the node is started again."""
    workers = Workers()
    broken = InProcessQueue(lambda _project: 2, lambda _t, _e: 1 / 0, workers.ended.append)  # type: ignore[arg-type]
    for _ in range(2):
        try:
            broken.publish(task("bad"))
        except ZeroDivisionError:
            continue
        raise AssertionError("the error was swallowed")


def test_ends_and_starts_from_many_threads_keep_the_limit() -> None:
    """Otherwise two ends at once start one step too many."""
    lock, all_done = threading.Lock(), threading.Event()
    now: list[int] = [0, 0, 0]

    def start(started: StepTask, on_end: Told) -> bool:
        with lock:
            now[0] += 1
            now[1] = max(now[1], now[0])

        def work() -> None:
            with lock:
                now[0] -= 1
            on_end(end_of(started))

        threading.Thread(target=work).start()
        return True

    def ended(_end: StepEnd) -> None:
        with lock:
            now[2] += 1
            if now[2] == 200:
                all_done.set()

    queue = InProcessQueue(lambda _project: 3, start, ended)
    threads = [
        threading.Thread(target=lambda part=part: [queue.publish(task(f"{part}-{n}")) for n in range(50)])
        for part in range(4)
    ]
    for thread in threads:
        thread.start()
    assert all_done.wait(20)
    assert now[1] <= 3
