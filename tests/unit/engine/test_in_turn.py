"""Acts on keys, in turn."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from phems.engine.in_turn import InTurn

SECONDS = 30


def test_changes_meanwhile_are_one_more_act_afterwards() -> None:
    """Otherwise a slow look at old code ends last, and is what people see from then on."""
    acts: list[str] = []
    may_go_on, has_begun = threading.Event(), threading.Event()
    at_once, most = 0, 0

    def act(key: str) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        acts.append(key)
        has_begun.set()
        assert may_go_on.wait(SECONDS)
        at_once -= 1

    with ThreadPoolExecutor(4) as pool:
        in_turn = InTurn(pool.submit, act)
        in_turn.changed("slow")
        assert has_begun.wait(SECONDS)
        for _ in range(3):
            in_turn.changed("slow")
        may_go_on.set()
    assert acts == ["slow", "slow"]
    assert most == 1


def test_a_slow_key_holds_up_no_other() -> None:
    """Otherwise one project's code server, which is project code, stops the workspace of all."""
    may_go_on, other = threading.Event(), threading.Event()

    def act(key: str) -> None:
        if key == "other":
            other.set()
        else:
            assert may_go_on.wait(SECONDS)

    with ThreadPoolExecutor(2) as pool:
        in_turn = InTurn(pool.submit, act)
        for key in ("slow", "slow", "slow", "other"):
            in_turn.changed(key)
        assert other.wait(SECONDS)
        may_go_on.set()


def test_a_failure_is_told_and_the_next_change_is_seen_to(caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise a project whose code could not be asked once is never looked at again."""
    acts: list[str] = []

    def act(key: str) -> None:
        acts.append(key)
        if len(acts) == 1:
            raise RuntimeError("the code server is gone")

    with ThreadPoolExecutor(1) as pool:
        in_turn = InTurn(pool.submit, act)
        in_turn.changed("lab")
        pool.submit(lambda: None).result(SECONDS)
        in_turn.changed("lab")
    assert acts == ["lab", "lab"]
    assert "the code server is gone" in caplog.text
