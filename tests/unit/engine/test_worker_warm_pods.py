"""Warm pods at the door of their worker: one step each, to the pod that waits, and worth nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from queue import Queue
from typing import Any

import pytest
from tests.tls_wall import TlsWall, tls_wall
from tests.warm_jobs import HOST, Warm

from phems.domain.warm_pods import MOST_SECONDS, pause_after
from phems.engine.host_connection import StepEnd
from phems.errors import ConflictError, IntegrityError, RefusedError


@pytest.fixture(scope="module")
def wall() -> Iterator[TlsWall]:
    with tls_wall() as made:
        yield made


@pytest.fixture
def warm(wall: TlsWall) -> Iterator[Warm]:
    made = Warm(wall)
    made.jobs.until(lambda jobs: "warm-1" in jobs.made)
    yield made
    made.pods.close()


def asks(warm: Warm, name: str = "warm-1") -> Queue[Any]:
    """A pod that has loaded, and asks for its step: its answer comes when there is one."""
    answers: Queue[Any] = Queue()

    def ask() -> None:
        with closing(warm.wall.client(warm.token(name))) as client:
            try:
                answers.put(client.call("step", "next", (name,), {}))
            except RefusedError as error:
                answers.put(error)

    with closing(warm.wall.client(warm.token(name))) as client:
        assert set(client.call("step", "order", (name,), {})) == {"host"}
    threading.Thread(target=ask, daemon=True).start()
    return answers


def test_a_pod_that_waits_is_given_one_step_and_another_takes_its_place(warm: Warm) -> None:
    answers, task, ends = asks(warm), warm.task(), Queue[StepEnd]()
    warm.until(lambda: warm.carry(task, ends.put))
    told = answers.get(timeout=60)
    assert task.run_id in told["step"]
    assert "warm-1" in told["note"]
    warm.jobs.until(lambda jobs: "warm-2" in jobs.made)
    assert not warm.carry(warm.task()), "a pod was given a second step"
    end = StepEnd("heart", task.run_id, "s", 1, 0, is_lost=False)
    warm.jobs.step_ends["warm-1"](end)
    assert ends.get(timeout=60) == end
    late = warm.wall.client(warm.token("warm-1"))
    with closing(late), pytest.raises(RefusedError, match="ended"):
        late.call("step", "next", ("warm-1",), {})


def test_a_waiting_pod_is_refused_all_but_asking(warm: Warm) -> None:
    """Attack: project code runs when it is imported, and no step of anybody has been admitted yet."""
    run_id = warm.wall.run("heart").run_id
    tries = (
        ("capability", "renew", ()),
        ("values", "find", ("x",)),
        ("outputs", "register", ("x",)),
        ("step", "say", ("stdout", "")),
        ("runs", "has_run", (run_id,)),
        ("runs", "get_runs", ()),
        ("events", "all_asset_keys", ()),
        ("events", "store_event", (None,)),
    )
    for storage, method, arguments in tries:
        client = warm.wall.client(warm.token("warm-1"))
        with closing(client), pytest.raises(RefusedError, match="nothing else"):
            client.call(storage, method, arguments, {})


@pytest.mark.parametrize("changes", [{"project": "genes"}, {"code_digest": "e"}, {"pod": "warm-7"}])
def test_another_s_capability_has_no_order_here(warm: Warm, changes: dict[str, str]) -> None:
    """Attack: the order of another project's step, or of other code."""
    with closing(warm.wall.client(warm.token("warm-1", **changes))) as client:
        for method in ("order", "next"):
            with pytest.raises(RefusedError):
                client.call("step", method, ("pod",), {})


def test_a_second_claim_on_an_order_is_refused(warm: Warm) -> None:
    """Attack: who has copied the Secret asks as well; Kubernetes may start two pods, seldom."""
    answers = asks(warm)
    with closing(warm.wall.client(warm.token("warm-1"))) as client:
        for method in ("order", "next"):
            with pytest.raises(ConflictError):
                client.call("step", method, ("another",), {})
    warm.carried(warm.task())
    assert answers.get(timeout=60)["step"]
    with closing(warm.wall.client(warm.token("warm-1"))) as client, pytest.raises(ConflictError):
        client.call("step", "next", ("another",), {})


def test_a_step_that_has_a_pod_is_no_pod_that_waits(warm: Warm) -> None:
    client = warm.wall.client(warm.wall.authority.issue(warm.wall.step()))
    with closing(client), pytest.raises(RefusedError, match="that waits"):
        client.call("step", "next", ("pod",), {})


def test_what_does_not_fit_goes_cold(warm: Warm) -> None:
    """A larger step, other code, other surroundings: a step must find what it would find in its own pod."""
    asks(warm)
    fits, other = warm.task(), warm.task(digest="e")
    host = replace(HOST, code_digest="d")
    assert not warm.carry(warm.task("large"))
    assert not warm.pods.carry(other, replace(HOST, code_digest="e"), warm.order(other), print)
    assert not warm.pods.carry(fits, replace(host, variables={"A": "b"}), warm.order(fits), print)
    warm.host = replace(HOST, sources={"numbers": {"path": "/data/numbers.csv"}})
    warm.carried(fits)


def test_a_pod_whose_job_has_ended_is_given_nothing(warm: Warm) -> None:
    asks(warm)
    warm.jobs.adopts = False
    warm.jobs.ends["warm-1"]("evicted")
    assert not warm.carry(warm.task())
    assert not warm.jobs.adopted


def test_other_code_and_the_end_of_a_worker_dismiss_who_waits(warm: Warm) -> None:
    """Otherwise pods with code of yesterday stay, and a worker that stops leaves its own behind."""
    answers = asks(warm)
    warm.pods.serve("e")
    warm.jobs.until(lambda jobs: jobs.dismissed == ["warm-1"] and "warm-2" in jobs.made)
    assert warm.jobs.made["warm-2"].code_digest == "e"
    assert isinstance(answers.get(timeout=60), RefusedError)
    warm.pods.drain()
    warm.jobs.until(lambda jobs: jobs.dismissed == ["warm-1", "warm-2"])


def test_a_pod_that_has_waited_for_long_is_replaced(warm: Warm) -> None:
    """What it imported an hour ago may know of yesterday, and its capability ends."""
    warm.jobs.until(lambda jobs: "warm-1" in jobs.made)  # its time counts from here
    warm.later(MOST_SECONDS - 1)
    assert not warm.jobs.dismissed
    warm.later(1)
    warm.jobs.until(lambda jobs: jobs.dismissed == ["warm-1"] and "warm-2" in jobs.made)


def test_those_that_fail_are_not_made_again_at_once(wall: TlsWall) -> None:
    """Otherwise an import error costs the cluster one pod after the other, for ever."""
    warm = Warm(wall, number=2)
    warm.jobs.until(lambda jobs: len(jobs.made) == 2)
    warm.broken.append(IntegrityError("The code was changed."))
    for name in ("warm-1", "warm-2"):
        warm.jobs.ends[name]("The definitions do not load.")
    assert not warm.carry(warm.task())
    warm.later(pause_after(2) - 1)
    assert len(warm.jobs.made) == 2
    warm.later(1)
    warm.until(lambda: warm.failures() == 3)  # the next one does not come to a Job
    assert len(warm.jobs.made) == 2
    warm.later(pause_after(3))
    warm.jobs.until(lambda jobs: list(jobs.made) == ["warm-1", "warm-2", "warm-4"])
    warm.pods.close()
    assert warm.jobs.dismissed == ["warm-4"]
