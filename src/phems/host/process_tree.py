"""A step's process tree: ending all of it, whatever it started and however it hid.

A child may leave its process group (`setsid`) or its parent (double fork). The host is the
subreaper: whoever loses its parent becomes the host's child, so that nothing below it gets away.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PPID_FIELD = 1


def become_subreaper() -> None:
    """Make this process the one that orphans below it fall to (Linux `prctl`)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end(pid: int, sign: signal.Signals) -> None:
    """Signal `pid` and all below it; with SIGKILL again and again until none is born behind our back."""
    while True:
        tree = [pid, *_descendants(pid)]
        for member in tree:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, sign)
        if sign is not signal.SIGKILL or len(tree) == len([pid, *_descendants(pid)]):
            return


def end_strays(known: set[int]) -> None:
    """Kill every child of this process that is not `known`: what an ended step left behind."""
    for child in _own_children():
        if child not in known:
            end(child, signal.SIGKILL)


def bury_strays(known: set[int]) -> None:
    """Take note of the end of every child that is not `known`: the kernel keeps the dead until then."""
    for child in _own_children():
        if child not in known:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _own_children() -> list[int]:
    """The children of this process, zombies included; from one file, where the kernel has it."""
    own = os.getpid()
    try:
        return [int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split()]
    except OSError:
        return _children().get(own, [])


def _descendants(pid: int) -> Iterator[int]:
    children = _children()
    queue = list(children.get(pid, ()))
    while queue:
        child = queue.pop()
        yield child
        queue.extend(children.get(child, ()))


def _children() -> dict[int, list[int]]:
    """The children of each process that this process can see, by parent."""
    found: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            # The name in parentheses may hold anything: fields are counted from its end.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(fields[_PPID_FIELD])].append(int(entry.name))
    return found
