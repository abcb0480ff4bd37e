"""What Dagster counts by the clock on the wall, held to the one that nobody sets.

Dagster's state machine remembers the time of day at which a step is to be tried again, and at which a claim
on a pool is. A clock that is set back by an hour would make a pause of a second an hour long; one that is set
forward would leave none of it.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping

from phems.engine._dagster import ActiveExecution, InstanceConcurrencyContext


class SetClock:
    """Notices that the clock was set."""

    def __init__(self) -> None:
        self._apart = _apart()

    def follow(self, *moments: MutableMapping[str, float]) -> None:
        """Move these times of day by as much as the clock was set since the last call."""
        before, self._apart = self._apart, _apart()
        for times in moments:
            for key in times:
                times[key] += self._apart - before


def _apart() -> float:
    return time.time() - time.monotonic()


class SteadyExecution(ActiveExecution):
    """Dagster's state machine of a run."""

    _clock: SetClock | None = None

    def mark_up_for_retry(self, step_key: str, at_time: float | None = None) -> None:
        """See `ActiveExecution`: `at_time` is by the clock as it is now."""
        self._follow_clock()
        super().mark_up_for_retry(step_key, at_time)

    def sleep_interval(self) -> float:
        """Seconds until a step is to be tried again; below zero when it should have been, zero for never."""
        self._follow_clock()
        return float(super().sleep_interval())  # type: ignore[no-untyped-call]

    def _update(self) -> None:
        self._follow_clock()
        super()._update()

    def _follow_clock(self) -> None:
        if self._clock is None:  # Dagster's own constructor comes here first
            self._clock = SetClock()
        self._clock.follow(self._waiting_to_retry)


class PoolClaims(InstanceConcurrencyContext):
    """A run's claims of places in pools; they can be tried again before their pause is over."""

    _clock: SetClock | None = None

    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        """See `InstanceConcurrencyContext`."""
        if self._clock is None:
            self._clock = SetClock()
        self._clock.follow(self._pending_timeouts)
        return super().claim(concurrency_key, step_key, step_priority)

    def claim_again(self) -> None:
        """Try every claim again at the next look."""
        self._pending_timeouts.update(dict.fromkeys(self._pending_timeouts, 0.0))
