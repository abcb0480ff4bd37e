"""Ctrl-C: among imports the process ends as it stands; a command that acts is told, and can put things right.

Python raises `KeyboardInterrupt` wherever it is. Among imports it may be swallowed, and the command goes on,
or come out as an error of something else.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ending_at_once() -> Iterator[None]:
    """For imports, and what only reads: Ctrl-C ends the process, as any program that has no word for it."""
    with _handled(signal.default_int_handler, signal.SIG_DFL):
        yield


@contextmanager
def raising() -> Iterator[None]:
    """Within `ending_at_once`, for what acts: Ctrl-C raises `KeyboardInterrupt`."""
    with _handled(signal.SIG_DFL, signal.default_int_handler):
        yield


@contextmanager
def _handled(before: Any, within: Any) -> Iterator[None]:
    """In another way for a while; unless Ctrl-C is ignored, or handled by somebody else."""
    is_ours = signal.getsignal(signal.SIGINT) is before
    if not is_ours or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, within)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
