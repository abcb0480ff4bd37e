"""A signal that the kernel gives to another thread is heard by a main thread that waits."""

from __future__ import annotations

import subprocess
import sys

WAITS = """
import signal, threading
from phems.serve.wakeup import woken_by_signals

came = []
signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
woken = woken_by_signals()
woken.settimeout(30)


def gets_the_signal():
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)


threading.Thread(target=gets_the_signal).start()
woken.recv(1)
assert came == [signal.SIGTERM]
"""


def test_a_signal_that_another_thread_gets_wakes_the_main_thread() -> None:
    heard = subprocess.run(
        [sys.executable, "-c", WAITS], capture_output=True, text=True, timeout=60, check=False
    )
    assert heard.returncode == 0, heard.stderr
