"""What a step process does: execute its step, and go on to another while it is as clean as it began."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NoReturn

STEP_FDS = 3
# What a fork saves is small beside a step that works for longer; and a process's CPU limit counts all of it.
MOST_CPU_SECONDS = 0.5
MOST_STEPS = 200
MOST_GROWTH_KIB = 64 * 1024
OWN_THREADS = 2  # the main one, and the one that sends events


@dataclass(frozen=True)
class Ended:
    """A process's word that its step has ended well: CPU seconds of this step, largest memory so far."""

    cpu_seconds: float
    max_rss_kib: int


def unpack_ended(packet: bytes) -> Ended:
    """What `run_steps` sent; ValueError for anything else."""
    try:
        found = json.loads(packet)
        return Ended(float(found["cpu_seconds"]), int(found["max_rss_kib"]))
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"a step process says what nobody knows: {error!r}") from error


@dataclass(frozen=True)
class _Beginning:
    """What must be as it was before a process takes another step."""

    folder: str
    environment: dict[str, str]
    max_rss_kib: int

    @classmethod
    def now(cls) -> _Beginning:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(os.getcwd(), dict(os.environ), usage.ru_maxrss)  # noqa: PTH109 (compared as text)

    def leftovers(self) -> str:
        """What a step left behind that the next would find; empty when there is nothing."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        checks = {
            "it used much CPU": usage.ru_utime + usage.ru_stime > MOST_CPU_SECONDS,
            "it holds much memory": usage.ru_maxrss > self.max_rss_kib + MOST_GROWTH_KIB,
            "threads": len(os.listdir("/proc/self/task")) > OWN_THREADS,  # noqa: PTH208 (on a hot path)
            "child processes": _has_children(),
            "another folder": os.getcwd() != self.folder,  # noqa: PTH109
            "another environment": dict(os.environ) != self.environment,
        }
        return ", ".join(name for name, found in checks.items() if found)


def run_steps(fds: list[int], channel: socket.socket | None, execute: Callable[[int], bool]) -> NoReturn:
    """Execute the step whose order, stdout and stderr are `fds`; with a channel, the next ones that come.

    `execute` reads the order from a file descriptor, closes it, and says whether the step ended well.
    Never returns: the process leaves without running the parent's exit handlers.
    """
    leave_after(lambda: _run_steps(fds, channel, execute))


def _run_steps(fds: list[int], channel: socket.socket | None, execute: Callable[[int], bool]) -> None:
    os.setsid()
    began, used = _Beginning.now(), 0.0
    for _ in range(MOST_STEPS):
        order_fd, *output = fds
        for descriptor, stream in zip(output, (1, 2), strict=True):
            os.dup2(descriptor, stream)
            os.close(descriptor)
        well = execute(order_fd)
        sys.stdout.flush()
        sys.stderr.flush()
        if channel is None or not well or began.leftovers():
            return
        usage = resource.getrusage(resource.RUSAGE_SELF)
        total = usage.ru_utime + usage.ru_stime
        channel.send(json.dumps(asdict(Ended(total - used, usage.ru_maxrss))).encode())
        used = total
        packet, fds, _flags, _address = socket.recv_fds(channel, 16, STEP_FDS)
        if not packet:
            return


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def leave_after(work: Callable[[], None]) -> NoReturn:
    """Do a fork's work and leave without running the parent's exit handlers."""
    code = 1
    try:
        work()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - the last line of the child: say it, and leave
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
