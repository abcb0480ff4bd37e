"""The machine and the versions that a result holds for, and how busy the machine is with other things."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import cache_from_source, find_spec
from pathlib import Path

import psutil

from benchmarks.process_group import ProcessGroup

_PACKAGES = (
    "phems-node",
    "dagster",
    "dagster-postgres",
    "dagster-webserver",
    "sqlalchemy",
    "psycopg2-binary",
)


def describe() -> dict[str, str]:
    """Processor, cores, memory, kernel; nothing that names the machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {_release()}",
        "python": platform.python_version(),
        "bytecode": "compiled" if _is_compiled("dagster") else "not compiled: every cold start compiles anew",
    }


def versions() -> dict[str, str]:
    """The installed versions that matter."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _release() -> str:
    """The kernel's version, without what a vendor adds to it."""
    return ".".join(platform.release().split(".")[:2])


def _is_compiled(package: str) -> bool:
    """Whether an import finds bytecode: stock Dagster's time for a run doubles without it."""
    spec = find_spec(package)
    return bool(spec and spec.origin and Path(cache_from_source(spec.origin)).exists())


@dataclass(frozen=True)
class Reading:
    """The counters at one moment."""

    at: float
    machine: float
    side: float
    ourselves: float


class Watch:
    """What a side spends over some time, and what was spent by neither it nor the benchmark itself."""

    def __init__(self, group: ProcessGroup) -> None:
        self._group = group
        self._began = self._read()

    def stop(self) -> tuple[float, float]:
        """CPU seconds of the side; the share of all CPU time that other programs took."""
        now, began = self._read(), self._began
        side = now.side - began.side
        foreign = (now.machine - began.machine) - side - (now.ourselves - began.ourselves)
        capacity = max((now.at - began.at) * (os.cpu_count() or 1), 1e-6)
        return side, min(max(foreign / capacity, 0.0), 1.0)

    def _read(self) -> Reading:
        times = psutil.cpu_times()
        busy = sum(times) - times.idle - getattr(times, "iowait", 0.0)
        # Guests' time is in the user time already.
        busy -= getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        return Reading(time.monotonic(), busy, self._group.cpu_seconds(), time.process_time())
