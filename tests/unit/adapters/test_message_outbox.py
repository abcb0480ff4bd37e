"""The order in which messages leave for the broker: each project in its turn."""

from __future__ import annotations

import threading
from itertools import islice

from phems.adapters.celery.outbox import Outbox
from phems.engine.step_queue import StepTask


def task(project: str, number: int, priority: int = 0) -> StepTask:
    return StepTask(project, "digest", "run", f"step_{number}", 1, priority)


def filled(*tasks: StepTask) -> Outbox:
    outbox = Outbox()
    for each in tasks:
        outbox.put(each)
    outbox.close()
    return outbox


def taken(outbox: Outbox) -> list[tuple[str, str]]:
    return [(each.project, each.step_key) for each in iter(outbox.take, None)]


def test_ten_thousand_of_one_project_hold_up_another_s_first_by_one() -> None:
    """Otherwise one analyst's fan-out is everybody's half minute."""
    outbox = filled(*(task("large", n) for n in range(10_000)), task("small", 0), task("small", 1))
    assert [project for project, _ in islice(taken(outbox), 5)] == [
        "large",
        "small",
        "large",
        "small",
        "large",
    ]


def test_within_a_project_the_order_is_by_priority_then_by_age() -> None:
    """Otherwise what is urgent waits behind what the broker would have let it pass."""
    outbox = filled(task("p", 0), task("p", 1), task("p", 2, priority=3), task("p", 3, priority=3))
    assert [key for _, key in taken(outbox)] == ["step_2", "step_3", "step_0", "step_1"]


def test_what_is_in_hand_is_not_sent_yet() -> None:
    """Otherwise it counts as missing for that moment, and is sent twice."""
    outbox = filled(task("p", 0), task("p", 1), task("q", 0))
    counts = []
    while outbox.take() is not None:
        counts.append((outbox.unsent("p"), outbox.unsent("q")))
    assert counts == [(2, 1), (1, 1), (1, 0)]
    assert outbox.unsent("p") == 0


def test_nothing_more_is_sent_of_a_run_that_was_cancelled() -> None:
    """Otherwise the broker carries thousands of messages that nobody wants."""
    other = StepTask("p", "digest", "another run", "step", 1)
    outbox = filled(task("p", 0), other, task("p", 1, priority=1), task("q", 0))
    outbox.drop("run")
    assert taken(outbox) == [("p", "step")]
    assert outbox.unsent("q") == 0


def test_who_closes_waits_for_nothing_that_is_not_to_be_sent() -> None:
    """Otherwise a control process with a broker that is away does not stop."""
    outbox = filled(task("p", 0), task("p", 1))
    outbox.clear()
    assert taken(outbox) == []


def test_who_waits_is_woken_by_what_comes_and_by_the_end() -> None:
    outbox = Outbox()
    found: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: found.extend(taken(outbox)))
    thread.start()
    outbox.put(task("p", 0))
    outbox.close()
    thread.join(10)
    assert found == [("p", "step_0")]
