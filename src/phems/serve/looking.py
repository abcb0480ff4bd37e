"""A thread of the process that leads: it looks when woken, after a while, and again after a failure."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from phems.errors import PhemsError

REST_SECONDS = 2.0
"""Between two looks, however much happens: each reads all that waits."""
LOOK_SECONDS = 600.0
"""However little happens: some things come about without anyone being told."""


class Looking:
    """Calls `look` again and again; it gives after how many seconds to come back, None when nothing waits.

    `failing` is what the log says when a look fails, before how.
    """

    def __init__(
        self,
        look: Callable[[], float | None],
        is_leading: Callable[[], bool],
        stopping: threading.Event,
        *,
        log: logging.Logger,
        failing: str,
    ) -> None:
        self._look_once = look
        self._is_leading = is_leading
        self._stopping = stopping
        self._log = log
        self._failing = failing
        self._woken = threading.Event()
        self._woken.set()

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    def run(self) -> None:
        """Until the node stops."""
        pause = LOOK_SECONDS
        while not self._stopping.is_set():
            self._woken.wait(pause)
            self._woken.clear()
            if self._stopping.is_set():
                return
            pause = self._look()
            self._stopping.wait(REST_SECONDS)

    def _look(self) -> float:
        if not self._is_leading():
            return LOOK_SECONDS
        try:
            following = self._look_once()
            return LOOK_SECONDS if following is None else min(LOOK_SECONDS, following)
        except PhemsError as error:
            self._log.warning("%s; it is tried again: %s", self._failing, error)
        except Exception:  # noqa: BLE001 (logged, and tried again)
            self._log.exception("%s; it is tried again", self._failing)
        return REST_SECONDS * 10
