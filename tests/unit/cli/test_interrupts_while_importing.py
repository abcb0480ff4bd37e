"""Ctrl-C while modules load."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from phems.cli.interrupts import ending_at_once

PROGRAM = """
import signal
from phems.cli.interrupts import ending_at_once
signal.signal(signal.SIGINT, signal.default_int_handler)
with ending_at_once():
    signal.raise_signal(signal.SIGINT)
print("went on")
"""

SWALLOWED_WHILE_LOADING = """
import contextlib, signal, sys
from phems import nodespec
from phems.cli.app import run

def load_node(folder):
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    sys.exit("went on")

signal.signal(signal.SIGINT, signal.default_int_handler)
nodespec.load_node = load_node
run(["--node", sys.argv[1], *sys.argv[2:]])
"""


@pytest.mark.parametrize("words", [["serve"], ["serve", "--role", "worker"], ["render", "manifests"]])
def test_while_a_node_is_loaded_too(tmp_path: Path, words: list[str]) -> None:
    """Otherwise a Ctrl-C that pydantic's modules swallowed leaves a node that serves (seen under load)."""
    (tmp_path / "node.yaml").touch()
    said = subprocess.run(
        [sys.executable, "-c", SWALLOWED_WHILE_LOADING, tmp_path, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (said.returncode, said.stderr) == (-signal.SIGINT, "")


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
