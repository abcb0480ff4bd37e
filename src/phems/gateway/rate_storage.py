"""Where the rate limits remember who asked when: in this process, and never more than so much.

The storage of `limits` that holds a moving window in memory sweeps it with timer threads and lets it grow
with whoever asks. This one forgets as it goes along, and when there is no room those who asked longest ago.
Its times are of the clock that nobody sets: one that was set back would keep everybody out for so long.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from limits.storage import MovingWindowSupport, Storage

MOST_KEYS = 20_000
MOST_TIMES = 500_000


class BoundedWindows(Storage, MovingWindowSupport):
    """Moving windows of times, oldest first in each; used by one thread, the gateway's event loop."""

    STORAGE_SCHEME = ["phems+memory"]  # noqa: RUF012 (the name and kind are the base class's)

    def __init__(
        self,
        uri: str | None = None,
        *,
        most_keys: int = MOST_KEYS,
        most_times: int = MOST_TIMES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(uri)
        self._windows: OrderedDict[str, deque[float]] = OrderedDict()
        self._times = 0
        self._most_keys = most_keys
        self._most_times = most_times
        self._clock = clock

    def now(self) -> float:
        """What its clock says."""
        return self._clock()

    @property
    def size(self) -> tuple[int, int]:
        """How many keys and times are held."""
        return len(self._windows), self._times

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Whether `amount` more fit into the window; then they are in it."""
        now = self._clock()
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = deque()
        else:
            self._windows.move_to_end(key)
            self._drop_old(window, now - expiry)
        if len(window) + amount > limit:
            return False
        window.extend([now] * amount)
        self._times += amount
        self._make_room()
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest of the last `limit` in the window was, and how many there are."""
        now = self._clock()
        window = self._windows.get(key)
        if window is None:
            return now, 0
        self._drop_old(window, now - expiry)
        held = min(len(window), limit)
        return (window[-held] if held else now), held

    def _drop_old(self, window: deque[float], until: float) -> None:
        while window and window[0] <= until:
            window.popleft()
            self._times -= 1

    def _make_room(self) -> None:
        while len(self._windows) > 1 and (
            len(self._windows) > self._most_keys or self._times > self._most_times
        ):
            _, window = self._windows.popitem(last=False)
            self._times -= len(window)

    @property
    def base_exceptions(self) -> type[Exception]:
        """See the base class."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Counts are not what this storage is for."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """How many times are held for a key."""
        return len(self._windows.get(key, ()))

    def get_expiry(self, key: str) -> float:
        """When the newest of a key was."""
        window = self._windows.get(key)
        return window[-1] if window else self._clock()

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def reset(self) -> int | None:
        """Forget everything."""
        held = len(self._windows)
        self._windows.clear()
        self._times = 0
        return held

    def clear(self, key: str) -> None:
        """Forget a key."""
        self._times -= len(self._windows.pop(key, ()))
