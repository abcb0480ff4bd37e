"""Ctrl-C while modules load: a process that has done nothing yet ends as it stands."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending_at_once() -> Iterator[None]:
    """For imports that take seconds: Ctrl-C ends the process, as it ends any program that has no word for it.

    Python would raise `KeyboardInterrupt` wherever it is: among imports it may be swallowed, and the command
    goes on, or be told as a traceback.
    """
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not handled or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
