"""Ending process trees and taking on limits, in processes of their own: the kernel is the real one."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

PRELUDE = """
import json, os, resource, signal, subprocess, sys, time
from pathlib import Path
from phems.contract.step_order import ResourceLimits
from phems.host import limits, process_tree

def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

def until(look):
    deadline = time.monotonic() + 10
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.005)
"""


def in_a_process(*code: str) -> Any:
    """Run pieces of code in a Python of its own; gives what it prints, as JSON."""
    whole = PRELUDE + "".join(map(textwrap.dedent, code))
    done = subprocess.run(
        [sys.executable, "-c", whole],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


TREE = """
process_tree.become_subreaper()
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:            # its grandchild leaves session and parent
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(write, f"{os.getpid()}\\n".encode())
            time.sleep(60)
        os._exit(0)
    os.wait()
    time.sleep(60)
hidden = int(os.read(read, 100))
"""


def test_a_killed_tree_is_gone_whole_and_what_hid_falls_to_the_host() -> None:
    """Attack 35: otherwise a double fork outlives its step."""
    found = in_a_process(
        TREE,
        """
        until(lambda: parent(hidden) == os.getpid())
        process_tree.end(child, signal.SIGKILL)
        os.waitpid(child, 0)
        before = alive(hidden)
        process_tree.end_strays(set())
        until(lambda: not alive(hidden))
        print(json.dumps([before, alive(child), alive(hidden)]))
        """,
    )
    assert found == [True, False, False]


def test_strays_that_are_known_are_left_alone() -> None:
    """Otherwise the end of one step kills the code server and every other step."""
    found = in_a_process(
        """
        known = subprocess.Popen(["sleep", "60"])
        stray = subprocess.Popen(["sleep", "60"])
        process_tree.end_strays({known.pid})
        stray.wait(10)
        print(json.dumps([alive(known.pid), alive(stray.pid)]))
        known.kill()
        """
    )
    assert found == [True, False]


def test_a_polite_end_lets_a_process_clean_up() -> None:
    """Otherwise a cancelled step never removes its half-written file."""
    found = in_a_process(
        """
        # Not a shell: one that starts a program at that moment is not always heard to have cleaned up.
        cleaning = "import signal, sys, time; "
        cleaning += "signal.signal(signal.SIGTERM, lambda *_: (print('cleaned', flush=True), sys.exit(3)))\\n"
        cleaning += "print('up', flush=True)\\nwhile True: time.sleep(0.01)"
        child = subprocess.Popen(
            [sys.executable, "-c", cleaning], stdout=subprocess.PIPE, text=True
        )
        child.stdout.readline()
        process_tree.end(child.pid, signal.SIGTERM)
        print(json.dumps([child.stdout.read().strip(), child.wait(10)]))
        """
    )
    assert found == ["cleaned", 3]


def test_ending_what_has_ended_is_no_error() -> None:
    """Otherwise a step that ends as it is cancelled takes its host down."""
    found = in_a_process(
        """
        child = subprocess.Popen(["true"])
        child.wait(10)
        process_tree.end(child.pid, signal.SIGKILL)
        print(json.dumps("fine"))
        """
    )
    assert found == "fine"


LIMITED = "limits.apply(ResourceLimits(memory=1 << 30, cpu_seconds=7, processes=99, file_size=1 << 20))\n"


def test_limits_are_taken_on_and_cannot_be_raised_but_for_cpu_s_grace() -> None:
    """Otherwise project code lifts its own limits, or a step over its CPU time dies without the reason."""
    found = in_a_process(
        LIMITED,
        """
        names = ["DATA", "FSIZE", "NPROC", "CORE", "CPU"]
        print(json.dumps([resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names]))
        """,
    )
    assert found == [[1 << 30] * 2, [1 << 20] * 2, [99] * 2, [0, 0], [7, 12]]


def test_a_limit_that_is_lower_already_stays() -> None:
    """Otherwise an operator's own limit on the node ends every step with an error."""
    found = in_a_process(
        """
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
        """,
        LIMITED,
        "print(json.dumps(resource.getrlimit(resource.RLIMIT_FSIZE)))",
    )
    assert found == [500, 500]


@pytest.mark.parametrize(
    ("act", "error"),
    [
        ("bytearray(1 << 31)", "MemoryError"),
        ("open('/tmp/phems-too-large', 'wb').truncate(1 << 21)", "OSError"),
    ],
)
def test_more_than_the_limit_is_an_error_in_the_code_that_asks_for_it(act: str, error: str) -> None:
    """Otherwise a step that is too large ends as a riddle, or takes the machine with it."""
    found = in_a_process(
        LIMITED,
        f"try:\n    {act}\n    print(json.dumps('let through'))\n"
        "except Exception as e:\n    print(json.dumps(type(e).__name__))\n"
        "finally:\n    Path('/tmp/phems-too-large').unlink(missing_ok=True)\n",
    )
    assert found == error


def test_a_process_that_waited_too_long_is_given_no_other_step() -> None:
    """Otherwise, on a busy machine, a branch of a fan-out is handed to a process that is being killed."""
    found = in_a_process(
        """
        from phems.host import step_processes
        processes = step_processes.StepProcesses(lambda order: os.close(order) is None, set())

        def start(task):
            fds = [os.memfd_create("order"), os.dup(1), os.dup(2)]
            pid = processes.start(task, "a fan-out", fds, lambda: None)
            for fd in fds:
                os.close(fd)
            return pid

        def until_it_waits():
            processes.heard(next(processes.channels()))

        first = start(1)
        until_it_waits()
        second = start(2)
        until_it_waits()
        until(lambda: processes.until_next_deadline() == 0)
        step_processes.process_tree.end = lambda *_: None  # told to end, and not gone yet
        processes.kill_overdue()
        third = start(3)
        print(json.dumps([second == first, third == first]))
        """
    )
    assert found == [True, False]
