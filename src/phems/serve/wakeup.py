"""How a process that only waits hears of a signal."""

from __future__ import annotations

import signal
import socket


def woken_by_signals() -> socket.socket:
    """A socket with something to read once a signal that has a handler has come.

    The kernel may give a signal to any thread. Python runs its handler in the main thread alone, and does not
    wake it: one that waits for a lock would not hear of the signal (seen under libfaketime, in one of three).
    Called in the main thread, for the rest of the process's life.
    """
    woken, wake = socket.socketpair()
    wake.settimeout(0.0)  # a full buffer: it will be woken anyway
    signal.set_wakeup_fd(wake.detach(), warn_on_full_buffer=False)
    return woken
