"""What processes under libfaketime load first: with it, as Debian has it, no `time.sleep` of Python works.

Python sleeps until a moment of the monotonic clock (`clock_nanosleep`, TIMER_ABSTIME), for which libfaketime
0.9.10 gives EINVAL when that clock is left as it is. Waiting for nothing, for so long, is not in its hands.
"""

from __future__ import annotations

import select
import time


def sleep(seconds: float) -> None:
    """Sleep, as `time.sleep`."""
    select.select([], [], [], seconds)


time.sleep = sleep
