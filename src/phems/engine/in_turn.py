"""Acts on keys: those of one key one after the other, those of several side by side."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

_LOG = logging.getLogger("phems.engine")


class InTurn:
    """`act` is called after each change of a key, and never twice at once for it.

    Changes while it acts are one: it acts once more, afterwards. So what it has looked at last is never
    overtaken by what it looked at before, and a key that takes long holds up no other.
    """

    def __init__(self, submit: Callable[[Callable[[], None]], object], act: Callable[[str], None]) -> None:
        self._submit = submit
        self._act = act
        self._lock = threading.Lock()
        self._is_due: dict[str, bool] = {}
        """Of keys that are being seen to: whether they have changed since."""

    def changed(self, key: str) -> None:
        """See to this key, soon."""
        with self._lock:
            is_seen_to = key in self._is_due
            self._is_due[key] = True
        if not is_seen_to:
            self._submit(partial(self._see_to, key))

    def _see_to(self, key: str) -> None:
        while self._take(key):
            try:
                self._act(key)
            except Exception:  # noqa: BLE001 - the key is seen to once more when it changes
                _LOG.exception("What follows a change of %s failed", key)

    def _take(self, key: str) -> bool:
        with self._lock:
            if self._is_due[key]:
                self._is_due[key] = False
                return True
            del self._is_due[key]
            return False
