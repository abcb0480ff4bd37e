"""CPU time of whole process trees, as the kernel counts it: what runs in a sandbox has no say in it.

A process's times hold those of its children that it has waited for, and an orphan is waited for by the first
process of its sandbox. So the sum over the living is all that the tree has used so far.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessTimes:
    """One living process. `started` tells it from a later one of the same number."""

    parent: int
    ticks: int
    started: int


def living() -> Mapping[int, ProcessTimes]:
    """Every process of this machine that can be seen, by its number."""
    found = {}
    for place in _PROC.iterdir():
        if not place.name.isdigit():
            continue
        try:
            # The name stands in brackets, and may hold whatever its process likes.
            fields = (place / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        found[int(place.name)] = ProcessTimes(
            parent=int(fields[1]), ticks=sum(map(int, fields[11:15])), started=int(fields[19])
        )
    return found


def tree_seconds(pid: int, processes: Mapping[int, ProcessTimes]) -> float:
    """The CPU seconds of a process and all below it; 0 when it is gone."""
    children = defaultdict(list)
    for number, process in processes.items():
        children[process.parent].append(number)
    waiting, ticks = [pid] if pid in processes else [], 0
    while waiting:
        number = waiting.pop()
        ticks += processes[number].ticks
        waiting += children[number]
    return ticks / _TICKS
