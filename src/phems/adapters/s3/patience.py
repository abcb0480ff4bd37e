"""Trying again for a while: pauses that grow, spread at random, and an end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 3.0


@dataclass(frozen=True)
class Patience:
    """For how long a request is tried, and which errors are worth another try."""

    seconds: float
    is_worth_another_try: Callable[[Exception], bool]
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    # Many steps meet the same outage: they must not all come back at the same moment.
    spread: Callable[[float], float] = field(default=lambda longest: random.uniform(0, longest))  # noqa: S311

    def __call__(self, request: Callable[[], T]) -> T:
        """What `request` gives; its last error when time is up or another try would not help."""
        ends_at = self.clock() + self.seconds
        longest = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return request()
            except Exception as error:
                if not self.is_worth_another_try(error) or self.clock() >= ends_at:
                    raise
            self.pause(min(self.spread(longest), max(0.0, ends_at - self.clock())))
            longest = min(longest * 2, _LONGEST_PAUSE_SECONDS)
