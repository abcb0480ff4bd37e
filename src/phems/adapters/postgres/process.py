"""Is a Postgres running on this folder? Answered from postmaster.pid and checked against the process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

import psutil

TICK = 0.02
"""Seconds between two looks at a condition that nothing announces."""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A Postgres server that runs on a folder."""

    pid: int
    socket_dir: Path | None
    ready: bool

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def gone(self) -> bool:
        """Whether it has ended."""
        try:
            return psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


def running_postmaster(data: Path) -> Postmaster | None:
    """The server of this folder, or None: also when postmaster.pid is left over from one that was killed."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not _is_marked(pid, mark_of(data)):
        return None
    return Postmaster(
        pid=pid,
        socket_dir=Path(lines[4]) if len(lines) > 4 and lines[4] else None,  # noqa: PLR2004 (the file's layout)
        ready=len(lines) > 7 and lines[7].strip() == "ready",  # noqa: PLR2004
    )


def server_processes(data: Path) -> list[int]:
    """Every process that works on this folder: a killed server's children may outlive it by a moment."""
    mark = mark_of(data)
    return [process.pid for process in psutil.process_iter() if _is_marked(process.pid, mark)]


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Whether the condition came true in time."""
    return any(condition() for _ in ticks(seconds)) or condition()


def ticks(seconds: float) -> Iterator[None]:
    """Come back every moment until the time is up."""
    never = Event()
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        yield
        never.wait(TICK)


def mark_of(data: Path) -> str:
    """The name (`cluster_name`) that each process of the server on a folder shows in its command line.

    A process id alone proves nothing, for it may have been given to another program since, and where a
    process works (its folder) is hidden from root in a container that lacks CAP_SYS_PTRACE.
    """
    return f"phems-{hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]}"


def _is_marked(pid: int, mark: str) -> bool:
    try:
        process = psutil.Process(pid)
        return process.name() == "postgres" and any(mark in word for word in process.cmdline())
    except psutil.Error:
        return False
