"""Ctrl-C while modules load."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from phems.cli.interrupts import ending_at_once

PROGRAM = """
import signal
from phems.cli.interrupts import ending_at_once
signal.signal(signal.SIGINT, signal.default_int_handler)
with ending_at_once():
    signal.raise_signal(signal.SIGINT)
print("went on")
"""


def test_the_process_ends_at_once_and_says_nothing() -> None:
    """Otherwise Python tells a traceback, or swallows the interrupt and the command goes on."""
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (said.returncode, said.stdout, said.stderr) == (-signal.SIGINT, "", "")


def test_afterwards_it_is_as_it_was() -> None:
    """Otherwise Ctrl-C in the middle of a command leaves what it has half done."""
    for before in (signal.default_int_handler, signal.SIG_IGN):
        kept = signal.signal(signal.SIGINT, before)
        try:
            with ending_at_once():
                within = signal.getsignal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is before
        finally:
            signal.signal(signal.SIGINT, kept)
        assert within is (signal.SIG_IGN if before is signal.SIG_IGN else signal.SIG_DFL)


def test_another_thread_changes_nothing() -> None:
    """Only the main thread may: elsewhere it would be an error."""
    found = []

    def look() -> None:
        with ending_at_once():
            found.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [before]
