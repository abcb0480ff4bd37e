"""CPU time is the kernel's figure of a whole process tree: or projects would be billed by their own word."""

from __future__ import annotations

import os
import subprocess
import sys

from phems.adapters.process_times import ProcessTimes, living, tree_seconds

TREE = {
    1: ProcessTimes(parent=0, ticks=7, started=1),
    10: ProcessTimes(parent=1, ticks=100, started=2),
    11: ProcessTimes(parent=10, ticks=20, started=3),
    12: ProcessTimes(parent=11, ticks=3, started=4),
    13: ProcessTimes(parent=1, ticks=1000, started=5),
}
BURN = """
import os, resource, sys
if os.fork() == 0:
    while resource.getrusage(resource.RUSAGE_SELF).ru_utime < 0.3:
        pass
    os._exit(0)
os.wait()
print("done", flush=True)
sys.stdin.read()
"""


def test_a_tree_is_a_process_with_all_below_it_and_no_other() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    assert tree_seconds(10, TREE) == 123 / ticks
    assert tree_seconds(99, TREE) == 0


def test_what_a_child_used_counts_after_its_end() -> None:
    """A step that has ended before the next reading would cost nothing."""
    command = [sys.executable, "-c", BURN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        assert parent.stdout.readline() == b"done\n"
        assert tree_seconds(parent.pid, living()) >= 0.29
        parent.stdin.close()
