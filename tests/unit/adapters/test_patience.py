"""Trying again: long enough for a service that comes back, with an end, and not for what cannot do."""

from __future__ import annotations

import pytest

from phems.adapters.s3.patience import Patience


class Away:
    """A service that is away until a moment, and the time that goes on while one waits for it."""

    def __init__(self, until: float, error: Exception | None = None) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.tries = 0
        self._until = until
        self._error = error or ConnectionError()

    def __call__(self) -> str:
        self.tries += 1
        if self.now < self._until:
            raise self._error
        return "stored"

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, seconds: float) -> Patience:
        return Patience(
            seconds,
            lambda error: isinstance(error, ConnectionError),
            pause=self.pause,
            clock=lambda: self.now,
            spread=lambda longest: longest,
        )


def test_a_service_that_is_away_for_twenty_seconds_loses_nothing() -> None:
    away = Away(until=20)
    assert away.patience(60)(away) == "stored"
    assert away.pauses == sorted(away.pauses)
    assert 20 <= away.now < 25


def test_a_service_that_stays_away_ends_the_step_when_its_time_is_up() -> None:
    away = Away(until=1000)
    with pytest.raises(ConnectionError):
        away.patience(60)(away)
    assert away.now == 60


def test_what_another_try_would_not_help_is_told_at_once() -> None:
    """Otherwise a wrong key is found out after a minute, by every step."""
    away = Away(until=1000, error=PermissionError())
    with pytest.raises(PermissionError):
        away.patience(60)(away)
    assert (away.tries, away.pauses) == (1, [])


def test_pauses_are_spread_so_that_not_all_come_back_at_once() -> None:
    patience = Patience(1, lambda _error: True)
    assert len({patience.spread(3.0) for _ in range(20)}) > 1
    assert all(0 <= patience.spread(3.0) <= 3 for _ in range(20))
