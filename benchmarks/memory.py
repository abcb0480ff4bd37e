"""Memory at rest: resident and proportional set size of every process of a side.

RSS counts a page that several processes share once in each; PSS divides it among them, so that the sum
over the processes is what they take together. Source: `/proc/PID/smaps_rollup`.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
# The first that is found in a process's command line names it.
_ROLES = (
    ("dagster-webserver", "web server"),
    ("dagster-daemon", "daemon"),
    ("api grpc", "code server"),
    ("api execute", "run worker"),
    ("multiprocessing", "multiprocessing's resource tracker"),
    ("postgres", "Postgres"),
    ("bwrap", "sandbox (bubblewrap)"),
    ("phems.host", "project host and its code server"),
    ("phems serve", "control plane"),
    ("setpriv", "Postgres"),
)


@dataclass(frozen=True)
class Share:
    """The processes of one role."""

    role: str
    processes: int
    rss_mb: float
    pss_mb: float


def measure(pids: Iterable[int]) -> list[Share]:
    """Every living process among `pids`, by role, the largest first."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for pid in pids:
        with contextlib.suppress(OSError):
            folder = Path("/proc") / str(pid)
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            role = role_of(command)
            try:
                rss, pss = sizes_mb((folder / "smaps_rollup").read_text())
            except PermissionError:
                # Another user's, or one that may not be looked into: more than its share, never less.
                rss = pss = int((folder / "statm").read_text().split()[1]) * _PAGE_MB
                role += " (PSS not readable: RSS)"
            total = sums[role]
            for place, value in enumerate((1, rss, pss)):
                total[place] += value
    shares = [Share(role, int(count), rss, pss) for role, (count, rss, pss) in sums.items()]
    return sorted(shares, key=lambda share: -share.pss_mb)


def role_of(command: str) -> str:
    """What a command line is for."""
    return next(
        (role for mark, role in _ROLES if mark in command), command.split(" ", maxsplit=1)[0] or "kernel"
    )


def sizes_mb(rollup: str) -> tuple[float, float]:
    """RSS and PSS in MB (10^6 bytes) from the text of `smaps_rollup`, which counts in KiB."""
    found = {}
    for line in rollup.splitlines()[1:]:
        key, _, value = line.partition(":")
        found[key] = value.split()[0]
    return int(found["Rss"]) * 1024 / 1e6, int(found["Pss"]) * 1024 / 1e6
