"""The thread that tells people that they are waited for, in the control process that leads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from phems.domain.live_changes import changed_from
from phems.errors import PhemsError
from phems.services.notifications import Notifier

_LOG = logging.getLogger("phems.notifier")
REST_SECONDS = 2.0
"""Between two looks, however much happens: each reads what waits for everybody."""
LOOK_SECONDS = 600.0
"""However little happens: a grant comes to its end, and a project's people change, without an act."""
TOPICS = frozenset({"capsule", "code", "policy", "release"})


class Notifying:
    """Looks when something has changed, and when something is to be tried again."""

    def __init__(self, notifier: Notifier, is_leading: Callable[[], bool], stopping: threading.Event) -> None:
        self._notifier = notifier
        self._is_leading = is_leading
        self._stopping = stopping
        self._woken = threading.Event()
        self._woken.set()

    def changed(self, payload: str) -> None:
        """An audit entry is news for somebody: see `phems.domain.live_changes`."""
        changed = changed_from(payload)
        if changed is not None and changed.topic in TOPICS:
            self.wake()

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
            self._notifier.collect()
            following = self._notifier.deliver()
            return LOOK_SECONDS if following is None else min(LOOK_SECONDS, following)
        except PhemsError as error:
            _LOG.warning("nobody could be told what waits for them; it is tried again: %s", error)
        except Exception:  # noqa: BLE001 (logged, and tried again)
            _LOG.exception("nobody could be told what waits for them; it is tried again")
        return REST_SECONDS * 10
