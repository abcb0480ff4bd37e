"""The host's step processes: one is forked for a step, and may go on to the next branch of the same fan-out.

A fork of a loaded host costs more than a small step: some 3,000 shared pages are copied as they are first
written to. So a process that ended a branch of a dynamic fan-out as clean as it began (see `leftovers`)
says so and waits a moment for another branch: same run, same op, its own order, capability and output.
Everything else is forked anew.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from phems.contract.host_messages import MAX_MESSAGE_BYTES, StepExited
from phems.host import process_tree
from phems.host.step_loop import Ended, run_steps, unpack_ended

POLITE_SECONDS = 1.0
IDLE_SECONDS = 0.5

Execute = Callable[[int], bool]


@dataclass
class _Process:
    """A step process. `task_id` is None while it waits; `deadline` is when it is killed for good."""

    pid: int
    family: str
    channel: socket.socket | None
    task_id: int | None
    deadline: float | None = None


class StepProcesses:
    """Every step process of one host. Single-threaded, as the host is."""

    def __init__(self, execute: Execute, spare: set[int]) -> None:
        self._execute = execute
        self._spare = spare
        self._processes: dict[int, _Process] = {}

    def channels(self) -> Iterator[socket.socket]:
        """What to listen to: each speaks when its process has ended a step and could take another."""
        return (process.channel for process in self._processes.values() if process.channel is not None)

    def start(self, task_id: int, family: str, fds: list[int], in_child: Callable[[], None]) -> int:
        """Have a step executed; gives the process. `in_child` lets a fork close what is the host's alone."""
        return self._hand_on(task_id, family, fds) or self._fork(task_id, family, fds, in_child)

    def _hand_on(self, task_id: int, family: str, fds: list[int]) -> int | None:
        for process in self._processes.values():
            if process.channel is None or process.task_id is not None or process.family != family:
                continue
            # One that is gone, or about to be, is reaped soon; the next may do.
            with contextlib.suppress(OSError):
                socket.send_fds(process.channel, [b"next"], fds)
                process.task_id, process.deadline = task_id, None
                return process.pid
        return None

    def _fork(self, task_id: int, family: str, fds: list[int], in_child: Callable[[], None]) -> int:
        ours = theirs = None
        if family:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            in_child()
            for channel in (*self.channels(), *filter(None, [ours])):
                channel.close()
            run_steps(fds, theirs, self._execute)
        if theirs is not None:
            theirs.close()
        self._processes[pid] = _Process(pid, family, ours, task_id)
        return pid

    def heard(self, channel: socket.socket) -> StepExited | None:
        """What a process says: that its step has ended well, and that it waits."""
        process = next((each for each in self._processes.values() if each.channel is channel), None)
        ended = _read_ended(channel)
        if process is None or process.task_id is None or ended is None:
            if process is not None:
                self._hang_up(process)
            return None
        task_id, process.task_id = process.task_id, None
        process.deadline = time.monotonic() + IDLE_SECONDS
        process_tree.end_strays({*self._spare, *self._processes})
        return StepExited(task_id, 0, ended.cpu_seconds, ended.max_rss_kib)

    def kill(self, task_id: int, *, force: bool) -> None:
        """End a step's process tree: politely, and a second later for good; or at once."""
        for process in self._processes.values():
            if process.task_id == task_id and (force or process.deadline is None):
                process_tree.end(process.pid, signal.SIGKILL if force else signal.SIGTERM)
                process.deadline = time.monotonic() + POLITE_SECONDS

    def until_next_deadline(self) -> float | None:
        """Seconds until `kill_overdue` has something to do."""
        deadlines = [each.deadline for each in self._processes.values() if each.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def kill_overdue(self) -> None:
        """Kill what was asked to end and did not, and what has waited long enough."""
        now = time.monotonic()
        for process in self._processes.values():
            if process.deadline is not None and process.deadline <= now:
                if process.task_id is None:
                    # A step handed to it now, before it has gone, would die with it.
                    self._hang_up(process)
                process_tree.end(process.pid, signal.SIGKILL)
                process.deadline = now + POLITE_SECONDS

    def reaped(self, pid: int, status: int, cpu_seconds: float, max_rss_kib: int) -> StepExited | None:
        """A process has gone; what is to be told of it, if it had a step. Its strays go with it."""
        process = self._processes.pop(pid, None)
        if process is None:
            return None
        self._hang_up(process)
        process_tree.end_strays({*self._spare, *self._processes})
        if process.task_id is None:
            return None
        return StepExited(process.task_id, os.waitstatus_to_exitcode(status), cpu_seconds, max_rss_kib)

    def kill_all(self) -> None:
        """End every process at once."""
        for pid in self._processes:
            process_tree.end(pid, signal.SIGKILL)

    def _hang_up(self, process: _Process) -> None:
        if process.channel is not None:
            process.channel.close()
            process.channel = None


def _read_ended(channel: socket.socket) -> Ended | None:
    """What the process said; None when it left, or says what nobody knows."""
    try:
        return unpack_ended(channel.recv(MAX_MESSAGE_BYTES))
    except (OSError, ValueError):
        return None
