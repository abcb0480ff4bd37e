"""Whether the node can do its work now: each part with a check, looked at when somebody asks.

The answer is kept for a moment, so that a probe that asks without end costs nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from phems.errors import PhemsError

_LOG = logging.getLogger("phems.readiness")
KEEP_SECONDS = 2.0

Check = Callable[[], None]
"""Returns when the part is well, raises when it is not. May block."""


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of the node is; `why` is for operators."""

    name: str
    why: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether it can do its work."""
        return not self.why


class Readiness:
    """The parts of a node, and how they are."""

    def __init__(self, checks: Mapping[str, Check], keep_seconds: float = KEEP_SECONDS) -> None:
        self._checks = checks
        self._keep_seconds = keep_seconds
        self._lock = threading.Lock()
        self._found: tuple[Part, ...] = ()
        self._until = 0.0

    def parts(self) -> tuple[Part, ...]:
        """Each part, in its order. Blocks; whoever asks meanwhile waits for the same answer."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = tuple(Part(name, _fault(name, check)) for name, check in self._checks.items())
                self._until = time.monotonic() + self._keep_seconds
            return self._found


def _fault(name: str, check: Check) -> str:
    try:
        check()
    except PhemsError as error:
        return f"{error.what} {error.why}".strip()
    except Exception as error:  # noqa: BLE001 (a part that cannot be looked at is not well)
        _LOG.warning("%s could not be looked at", name, exc_info=True)
        return type(error).__name__
    return ""
