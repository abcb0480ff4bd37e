"""The control plane's end of one project host: starting steps in it and learning how they end."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phems.contract.host_messages import (
    MAX_MESSAGE_BYTES,
    HostFailed,
    HostLoaded,
    KillStep,
    StartStep,
    StepExited,
    pack,
    unpack,
)
from phems.contract.step_order import StepOrder
from phems.engine.sandbox import HostProcess
from phems.errors import IntegrityError, UnavailableError

PATIENCE_SECONDS = 3.0


@dataclass(frozen=True)
class StepEnd:
    """How one attempt's process ended.

    `is_lost` means that its host went away under it; `note` says why it never started, or why it was ended.
    """

    project: str
    run_id: str
    step_key: str
    attempt: int
    status: int
    is_lost: bool
    cpu_seconds: float = 0.0
    max_rss_kib: int = 0
    note: str = ""


@dataclass(frozen=True)
class StepProcess:
    """One attempt to start: what it is, its order, where its output goes, and whom to tell of its end."""

    project: str
    run_id: str
    step_key: str
    attempt: int
    order: StepOrder
    stdout: Path
    stderr: Path
    on_end: Callable[[StepEnd], None]


class HostConnection:
    """A conversation with one host process, read by a thread of its own."""

    def __init__(
        self,
        process: HostProcess,
        on_loaded: Callable[[float], None],
        on_failed: Callable[[str], None],
        on_gone: Callable[[str], None],
    ) -> None:
        self._process = process
        self._on_loaded = on_loaded
        self._on_failed = on_failed
        self._on_gone = on_gone
        self._tasks: dict[int, StepProcess] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._told_at: dict[int, float] = {}
        self._is_gone = False

    @property
    def pid(self) -> int | None:
        """The process number of the sandbox; None for one on another machine."""
        return self._process.pid

    def listen(self) -> None:
        """Begin to read what the host says."""
        threading.Thread(target=self._read, name=f"phems-host-{self.pid}", daemon=True).start()

    def running_steps(self) -> int:
        """How many steps run."""
        return len(self._tasks)

    def start_step(self, step: StepProcess) -> None:
        """Start one attempt; raises `UnavailableError` when the host is gone.

        Raises `OSError` when there is no place for what the step will say.
        """
        step.stdout.parent.mkdir(parents=True, exist_ok=True)
        with step.stdout.open("ab") as stdout, step.stderr.open("ab") as stderr:
            self._start(step, stdout.fileno(), stderr.fileno())

    def _start(self, step: StepProcess, stdout: int, stderr: int) -> None:
        task_id = next(self._ids)
        with self._lock:
            if self._is_gone:
                raise UnavailableError(f"The host of project {step.project} has gone.")
            self._tasks[task_id] = step
        order_fd = os.memfd_create("order", os.MFD_CLOEXEC)
        try:
            # A file in memory, so that a large order cannot block who sends it.
            os.write(order_fd, step.order.to_json().encode())
            os.lseek(order_fd, 0, os.SEEK_SET)
            fds = [order_fd, stdout, stderr]
            socket.send_fds(self._process.control, [pack(StartStep(task_id, family_of(step)))], fds)
        except OSError as error:
            with self._lock:
                known = self._tasks.pop(task_id, None)
            if known is not None:
                raise UnavailableError(
                    f"The host of project {step.project} has gone.", why=str(error)
                ) from error
        finally:
            os.close(order_fd)

    def kill_run(self, run_id: str, *, force: bool) -> int:
        """End the process trees of a run's steps; gives how many were told.

        A host that has been told and keeps them past `PATIENCE_SECONDS` is ended itself: it is the
        project's own process, and need not do what it is told.
        """
        now = time.monotonic()
        with self._lock:
            ids = [task_id for task_id, step in self._tasks.items() if step.run_id == run_id]
            oldest = min((self._told_at.setdefault(task_id, now) for task_id in ids), default=now)
        if now - oldest > PATIENCE_SECONDS:
            self._process.kill()
            return len(ids)
        for task_id in ids:
            with contextlib.suppress(OSError):
                self._process.control.send(pack(KillStep(task_id, force)))
        return len(ids)

    def kill(self) -> None:
        """End the host and everything in it."""
        self._process.kill()

    def _read(self) -> None:
        while True:
            try:
                packet = self._process.control.recv(MAX_MESSAGE_BYTES)
                if not packet:
                    break
                self._take(packet)
            except IntegrityError:
                self._process.kill()  # a host that talks nonsense is not a host
                break
            except OSError:
                break
        self._end()

    def _take(self, packet: bytes) -> None:
        match unpack(packet):
            case HostLoaded(load_seconds=seconds):
                self._on_loaded(seconds)
            case HostFailed(error=error):
                self._on_failed(error)
            case StepExited() as exited:
                with self._lock:
                    step = self._tasks.pop(exited.task_id, None)
                    self._told_at.pop(exited.task_id, None)
                if step is not None:
                    step.on_end(_end_of(step, exited))
            case _:
                pass

    def _end(self) -> None:
        with self._lock:
            self._is_gone = True
            lost, self._tasks = self._tasks, {}
        self._process.wait()
        for step in lost.values():
            step.on_end(
                StepEnd(step.project, step.run_id, step.step_key, step.attempt, status=-9, is_lost=True)
            )
        self._on_gone(self._process.why_ended())


def family_of(step: StepProcess) -> str:
    """The branches of one fan-out, by run and op; empty for every other step.

    Dagster writes a branch's mapping key in brackets at the end of its step key, and nowhere else.
    """
    op, bracket, _ = step.step_key.partition("[")
    return f"{step.run_id} {op}" if bracket else ""


def _end_of(step: StepProcess, exited: StepExited) -> StepEnd:
    return StepEnd(
        project=step.project,
        run_id=step.run_id,
        step_key=step.step_key,
        attempt=step.attempt,
        status=exited.status,
        is_lost=False,
        cpu_seconds=exited.cpu_seconds,
        max_rss_kib=exited.max_rss_kib,
    )
