"""Counting the CPU time of a side on real processes: in both ways, ended grandchildren included."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest
from benchmarks.process_group import CgroupGroup, ProcessGroup, TreeGroup, make_group

pytestmark = pytest.mark.integration
BUSY = "import time\nwhile time.process_time() < 0.4: pass\n"
# A child that is busy in a child of its own, which has ended when it waits for its next order.
PARENT = f"""
import subprocess, sys
for _ in sys.stdin:
    subprocess.run([sys.executable, "-c", {BUSY!r}], check=True)
    print("done", flush=True)
"""


def _best() -> ProcessGroup:
    return make_group("test")


@pytest.fixture(params=[_best, TreeGroup], ids=["best", "proc"])
def group(request: pytest.FixtureRequest) -> ProcessGroup:
    """Both ways of counting; the best one is /proc too where no cgroup can be made."""
    make: Callable[[], ProcessGroup] = request.param
    return make()


def test_the_time_of_an_ended_grandchild_is_counted(group: ProcessGroup) -> None:
    """Stock Dagster's runs, and the node's steps, are processes that have ended when they are billed."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        group.adopt(process.pid)
        assert process.pid in group.pids()
        before = group.cpu_seconds()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        spent = group.cpu_seconds() - before
        process.stdin.close()
    assert 0.35 < spent < 1.0
    group.close()


def test_closing_ends_what_is_left() -> None:
    """A benchmark that leaves servers behind slows whatever is measured next."""
    group = _best()
    if not isinstance(group, CgroupGroup):
        pytest.skip("no cgroup can be made here, and without one every child of pytest is of the side")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    group.adopt(process.pid)
    began = time.monotonic()
    reaped = psutil.Process(process.pid)
    try:
        assert process.pid in group.close() or reaped.status() == psutil.STATUS_ZOMBIE
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - began < 30
    assert not group.folder.exists()
