"""Warm pods: one step each and never a second, as many as are wanted, and no hot loop of those that fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.warm_pods import (
    LONGEST_PAUSE_SECONDS,
    MOST_SECONDS,
    MOVES,
    Failures,
    WarmEvent,
    WarmPod,
    WarmState,
    pause_after,
    upkeep,
)

CODE, OLD = "ab", "cd"
UNTAKEN = (WarmState.STARTING, WarmState.LOADING, WarmState.WAITING)


@given(st.lists(st.sampled_from(list(WarmEvent))))
def test_whatever_happens_a_pod_has_one_step_at_most_and_has_loaded_before(events: list[WarmEvent]) -> None:
    """Otherwise a step finds what another left behind in its pod."""
    state, assigned, loaded = WarmState.STARTING, 0, False
    for event in events:
        after = MOVES.get((state, event))
        if after is None:
            continue
        loaded = loaded or event is WarmEvent.ASKS_FOR_ITS_STEP
        assigned += event is WarmEvent.ASSIGNED
        assert assigned == 0 or loaded
        state = after
    assert assigned <= 1
    assert (state is WarmState.TAKEN) <= (assigned == 1)


def test_a_pod_that_is_gone_stays_so_and_one_with_a_step_is_not_dismissed() -> None:
    """Otherwise a change of code ends steps that run."""
    assert not [move for move in MOVES if move[0] is WarmState.GONE]
    assert (WarmState.TAKEN, WarmEvent.DISMISSED) not in MOVES
    assert (WarmState.TAKEN, WarmEvent.ASSIGNED) not in MOVES


pods = st.lists(
    st.builds(
        WarmPod,
        name=st.uuids().map(str),
        state=st.sampled_from(list(WarmState)),
        code_digest=st.sampled_from([CODE, OLD]),
        made_at=st.floats(0, 2 * MOST_SECONDS),
    ),
    max_size=12,
)


@given(
    pods,
    st.sampled_from([None, CODE]),
    st.integers(0, 5),
    st.builds(Failures, count=st.integers(0, 8), last_at=st.floats(0, 2 * MOST_SECONDS)),
    st.floats(2 * MOST_SECONDS, 3 * MOST_SECONDS),
)
def test_what_is_kept_is_fresh_and_of_the_code_that_runs_and_never_more_than_wanted(
    found: list[WarmPod], code: str | None, number: int, failures: Failures, now: float
) -> None:
    """Otherwise a step runs code that is not its own, or pods fill the quota that steps need."""
    todo = upkeep(found, code, number, failures, now)
    by_name = {pod.name: pod for pod in found}
    assert all(by_name[name].state in UNTAKEN for name in todo.dismiss)
    kept = [pod for pod in found if pod.state in UNTAKEN and pod.name not in todo.dismiss]
    assert all(pod.code_digest == code and now - pod.made_at < MOST_SECONDS for pod in kept)
    assert todo.make == 0 or len(kept) + todo.make <= number
    if failures.count:
        assert todo.make <= 1
        assert not (todo.make and now < failures.over_at)
    elif code is not None:
        assert len(kept) + todo.make >= number
    assert todo.look_at is None or todo.look_at > now


def test_a_pod_that_is_used_or_too_old_is_replaced_at_once() -> None:
    taken = WarmPod("a", WarmState.TAKEN, CODE, 0.0)
    old = WarmPod("b", WarmState.WAITING, CODE, 0.0)
    todo = upkeep([taken, old], CODE, 1, Failures(), MOST_SECONDS)
    assert (todo.dismiss, todo.make) == (("b",), 1)


def test_those_that_fail_are_made_ever_more_seldom_and_one_at_a_time() -> None:
    """Otherwise an image that is not there costs the cluster a pod each second."""
    pauses = [pause_after(count) for count in range(12)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.0, LONGEST_PAUSE_SECONDS)
    failures = Failures(3, 100.0)
    waits = upkeep([], CODE, 4, failures, 101.0)
    assert (waits.make, waits.look_at) == (0, failures.over_at)
    assert upkeep([], CODE, 4, failures, failures.over_at).make == 1


@pytest.mark.parametrize("number", [0, 3])
def test_without_approved_code_nothing_waits(number: int) -> None:
    left = WarmPod("a", WarmState.LOADING, OLD, 0.0)
    todo = upkeep([left], None, number, Failures(), 1.0)
    assert (todo.dismiss, todo.make) == (("a",), 0)
