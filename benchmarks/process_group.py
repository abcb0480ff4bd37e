"""What one side of the comparison costs: the CPU seconds of all its processes, ended ones included.

Where a cgroup can be made (as root, cgroup v1 `cpuacct` or v2), the kernel does the counting: every
process of a side lives in a cgroup of its own, and so do its children. Elsewhere the sum is taken
over /proc: this process is made the subreaper, so that no orphan leaves its tree, and each process's
times are added to those of its children that it has waited for.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

_PR_SET_CHILD_SUBREAPER = 36
END_SECONDS = 20.0


class ProcessGroup(Protocol):
    """All processes of one side."""

    method: str
    """How CPU seconds are counted, for the report."""

    def adopt(self, pid: int) -> None:
        """Count this process and all below it, now and later."""
        ...

    def pids(self) -> set[int]:
        """The living ones."""
        ...

    def cpu_seconds(self) -> float:
        """User and system time so far; differences of two readings mean something, one alone does not."""
        ...

    def close(self) -> set[int]:
        """End whatever still lives; gives the processes that had to be ended."""
        ...


@dataclass
class CgroupGroup:
    """A cgroup of its own below this process's one."""

    folder: Path
    method: str

    def adopt(self, pid: int) -> None:
        """See `ProcessGroup`; again and again until no child is born behind our back."""
        while missing := {pid, *descendants(pid)} - self.pids():
            moved = 0
            for member in missing:
                with contextlib.suppress(OSError):
                    (self.folder / "cgroup.procs").write_text(str(member))
                    moved += 1
            if not moved:
                return

    def pids(self) -> set[int]:
        """See `ProcessGroup`."""
        return {int(line) for line in (self.folder / "cgroup.procs").read_text().split()}

    def cpu_seconds(self) -> float:
        """See `ProcessGroup`."""
        usage = self.folder / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e9
        return usage_seconds((self.folder / "cpu.stat").read_text())

    def close(self) -> set[int]:
        """See `ProcessGroup`."""
        ended = end_all(self.pids)
        with contextlib.suppress(OSError):
            self.folder.rmdir()
        return ended


@dataclass
class TreeGroup:
    """The adopted processes, all below them, and the orphans they leave; read from /proc."""

    method: str = "/proc: own times and those of waited-for children, orphans kept by a subreaper"
    _roots: set[int] = field(default_factory=set)
    _others: set[int] = field(default_factory=set)
    """Children of this process that were there before: no business of this side."""

    def __post_init__(self) -> None:
        _keep_orphans(1)
        self._others = {child.pid for child in psutil.Process().children()}

    def adopt(self, pid: int) -> None:
        """See `ProcessGroup`."""
        self._roots.add(pid)

    def pids(self) -> set[int]:
        """See `ProcessGroup`: one side runs at a time, so a new child of ours is of this side."""
        self._reap_orphans()
        own = {child.pid for child in psutil.Process().children()} - self._others
        return own.union(*(descendants(pid) for pid in own))

    def cpu_seconds(self) -> float:
        """See `ProcessGroup`."""
        living = 0.0
        for pid in self.pids():
            with contextlib.suppress(psutil.Error):
                living += sum(psutil.Process(pid).cpu_times()[:4])
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return living + ended.ru_utime + ended.ru_stime

    def close(self) -> set[int]:
        """See `ProcessGroup`."""
        ended = end_all(self.pids)
        _keep_orphans(0)
        return ended

    def _reap_orphans(self) -> None:
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error, ChildProcessError):
                is_orphan = child.pid not in self._roots | self._others
                if is_orphan and child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)


def _keep_orphans(flag: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, flag, 0, 0, 0)


def make_group(name: str) -> ProcessGroup:
    """The best way to count that this machine allows."""
    for parent, method in _cgroup_parents():
        folder = parent / f"phems-bench-{os.getpid()}-{name}"
        try:
            folder.mkdir()
        except OSError:
            continue
        group = CgroupGroup(folder, method)
        with contextlib.suppress(OSError):
            group.cpu_seconds()
            return group
        folder.rmdir()
    return TreeGroup()


def descendants(pid: int) -> list[int]:
    """The living processes below `pid`."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def end_all(living: Callable[[], set[int]]) -> set[int]:
    """Ask what still lives to end, then end it by force; `living()` gives the process numbers."""
    ended: set[int] = set()
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in living():
            ended.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
        deadline = time.monotonic() + END_SECONDS
        while living() and time.monotonic() < deadline:
            time.sleep(0.05)
    return ended


def usage_seconds(cpu_stat: str) -> float:
    """`usage_usec` of a cgroup v2 `cpu.stat`, in seconds."""
    for line in cpu_stat.splitlines():
        key, _, value = line.partition(" ")
        if key == "usage_usec":
            return int(value) / 1e6
    raise ValueError("cpu.stat has no usage_usec")


def _cgroup_parents() -> Iterator[tuple[Path, str]]:
    own: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mounted_at, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpuacct" in options.split(","):
            yield Path(mounted_at) / own.get("cpuacct", "/").lstrip("/"), "cgroup v1 cpuacct"
        elif kind == "cgroup2":
            yield Path(mounted_at) / own.get("", "/").lstrip("/"), "cgroup v2 cpu.stat"
