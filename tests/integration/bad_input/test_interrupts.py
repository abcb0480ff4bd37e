"""Ctrl-C at any moment of `phems serve` and `phems demo`: it ends soon and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from typed_commands import command, environment, processes_of, write_spec

INTERRUPTED = 130
INTERRUPTED_WHILE_IT_STARTS = """
import signal, sys
from pathlib import Path
from phems.serve.node import ServingNode

def start(node, told):
    signal.raise_signal(signal.SIGINT)
    raise ValueError("Postgres, which the terminal told to end, too, is gone")

ServingNode._start = start
try:
    ServingNode(Path(sys.argv[1])).run(print)
except KeyboardInterrupt:
    sys.exit(130)
"""


def interrupt(line: Sequence[str], folder: Path, seconds: float, cwd: Path) -> tuple[int, str]:
    """Start a command as a shell does, press Ctrl-C after `seconds`; its exit code and its words."""
    with subprocess.Popen(
        line,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        start_new_session=True,
        # A shell that runs the tests in the background has them, and what they start, ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as child:
        timer = threading.Timer(seconds, lambda: os.killpg(child.pid, signal.SIGINT))
        timer.start()
        try:
            words, _ = child.communicate(timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            pytest.fail(f"It goes on after Ctrl-C, and said:\n{child.communicate()[0]}")
        finally:
            timer.cancel()
        return child.returncode, words


@pytest.mark.parametrize("seconds", [0.02, 0.25, 0.6, 1.0, 1.5, 2.2, 3.0, 4.5])
def test_serve(folder: Path, seconds: float) -> None:
    """Otherwise a Postgres would run on without its node, or a lock would keep the next one out."""
    write_spec(folder)
    code, words = interrupt(command(folder, "serve"), folder, seconds, folder)
    if seconds > 0.1:  # before that, Python itself may not be up: it dies in its own words
        assert "Traceback" not in words, words
        assert code in {0, INTERRUPTED, -signal.SIGINT}, words
    assert processes_of(folder) == []


def test_what_fails_by_ctrl_c_is_no_fault_of_the_node(folder: Path) -> None:
    """Otherwise an unlucky Ctrl-C is told as an error, with a log to report."""
    write_spec(folder)
    told = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IT_STARTS, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (INTERRUPTED, "")


def test_serve_starts_well_after_an_interrupted_start(folder: Path) -> None:
    """Otherwise a first start that was broken off would have spoilt the folder."""
    write_spec(folder)
    for seconds in (1.2, 2.0):
        interrupt(command(folder, "serve"), folder, seconds, folder)
    began = time.monotonic()
    with subprocess.Popen(
        command(folder, "serve"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as node:
        assert node.stdout is not None
        lines = []
        for line in node.stdout:
            lines.append(line)
            if "Serving on" in line:
                break
        assert "Serving on" in "".join(lines), lines
        node.send_signal(signal.SIGINT)
        assert node.wait(30) in {0, INTERRUPTED}
    assert time.monotonic() - began < 60


def demo(folder: Path) -> list[str]:
    """The command line of a demo below `folder`."""
    return [sys.executable, "-m", "phems.cli", "demo", "--folder", str(folder / "demo")]


@pytest.mark.parametrize("seconds", [0.5, 3.0, 9.0])
def test_demo(folder: Path, seconds: float) -> None:
    """Otherwise to break off the demo would leave a hospital running."""
    code, words = interrupt(demo(folder), folder, seconds, folder)
    assert "Traceback" not in words, words
    assert code in {INTERRUPTED, -signal.SIGINT}, words
    assert processes_of(folder) == []


def test_demo_while_it_stops_its_node(folder: Path) -> None:
    """Otherwise a second, impatient Ctrl-C would leave the node, told to stop, to itself."""
    log = folder / "demo" / "serve.log"
    with subprocess.Popen(
        demo(folder), env=environment(), stdout=subprocess.PIPE, text=True, cwd=folder, start_new_session=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "the node serves on" in line:
                break
        os.killpg(child.pid, signal.SIGINT)
        end = time.monotonic() + 60
        while "Stopping" not in log.read_text():
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.01)
        os.killpg(child.pid, signal.SIGINT)
        assert child.wait(60) in {INTERRUPTED, -signal.SIGINT}
    assert processes_of(folder) == []
