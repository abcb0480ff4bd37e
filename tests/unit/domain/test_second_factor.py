"""Codes count near their time and once: whoever reads one over a shoulder is too late with it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.second_factor import (
    RECOVERY_BYTES,
    STEP_SECONDS,
    STEPS_APART,
    kind_of,
    plain,
    recovery_code,
    step_at,
    step_of,
)

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
STEP = step_at(NOW)


def code_at(step: int) -> str:
    """Stands for the app: another code for each step."""
    return f"{step % 1_000_000:06d}"


@pytest.mark.parametrize(("off", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_counts_while_the_clocks_are_near_each_other(off: int, counts: bool) -> None:
    assert step_of(code_at(STEP + off), code_at, NOW) == (STEP + off if counts else None)


@given(
    used=st.lists(st.integers(-3, 3), max_size=8),
    seconds=st.lists(st.integers(0, 90), min_size=8, max_size=8),
)
def test_no_code_counts_twice_and_none_after_a_later_one(used: list[int], seconds: list[int]) -> None:
    """Whatever somebody tries, and whenever: each step counts once at most, in order."""
    counted: list[int] = []
    now = NOW
    for off, later in zip(used, seconds, strict=False):
        now += timedelta(seconds=later)
        step = step_of(code_at(STEP + off), code_at, now, counted[-1] if counted else None)
        if step is not None:
            assert abs(step - step_at(now)) <= STEPS_APART
            counted.append(step)
    assert counted == sorted(set(counted))


def test_a_code_that_two_steps_share_counts_for_the_later() -> None:
    """Otherwise the same six digits would count again a moment later."""
    assert step_of("123456", lambda _step: "123456", NOW) == STEP + STEPS_APART


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "\uff11" * 6, "\ud800"])
def test_what_is_no_code_counts_as_none(code: str) -> None:
    assert kind_of(plain(code)) is None
    assert step_of(code, code_at, NOW) is None


@pytest.mark.parametrize("typed", ["123 456", " 123456\n", "123-456"])
def test_a_code_may_be_typed_as_it_is_shown(typed: str) -> None:
    assert plain(typed) == "123456"
    assert kind_of(plain(typed)) == "code"


@given(st.binary(min_size=RECOVERY_BYTES, max_size=RECOVERY_BYTES))
def test_recovery_codes_can_be_read_aloud_and_typed_in_capitals(random: bytes) -> None:
    code = recovery_code(random)
    assert re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", code)
    assert kind_of(plain(code.upper().replace("-", " "))) == "recovery code"


def test_a_step_is_half_a_minute() -> None:
    assert step_at(NOW + timedelta(seconds=STEP_SECONDS)) == STEP + 1
    assert step_at(NOW + timedelta(seconds=STEP_SECONDS - 1)) == STEP
