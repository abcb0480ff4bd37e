"""The project host: loads a project's definitions once, then forks what serves and what executes.

It stays single-threaded for life, because it forks (a threaded gRPC server must never be forked):
one child is the code server, every other child is one step attempt. It reads no capability of a
step: that travels in a pipe which the child alone reads.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from phems.contract.host_messages import (
    MAX_MESSAGE_BYTES,
    HostFailed,
    HostLoaded,
    HostMessage,
    KillStep,
    StartStep,
    StepExited,
    StepStarted,
    pack,
    unpack,
)
from phems.contract.step_order import HostOrder, StepOrder
from phems.errors import PhemsError
from phems.host import limits, privacy, process_tree

CODE_SERVER_SECONDS = 60.0
STEP_FDS = 3
POLITE_SECONDS = 1.0


@dataclass
class _Task:
    task_id: int
    pid: int
    kill_at: float | None = None


class ProjectHost:
    """One host, one project, one code revision. `run` returns when the node closes the control socket."""

    def __init__(self, control_fd: int) -> None:
        self._control = socket.socket(fileno=control_fd)
        self._tasks: dict[int, _Task] = {}
        self._code_server_pid = 0

    def run(self) -> int:
        """Load, fork the code server, then serve orders until the control socket closes."""
        process_tree.become_subreaper()
        privacy.keep_to_itself()
        order = HostOrder.from_json(self._control.recv(MAX_MESSAGE_BYTES).decode())
        limits.apply_lasting(order.limits)
        os.environ.update(order.variables)
        began = time.monotonic()
        # Heavy imports come after the environment is set, and before the first fork.
        from phems.host import code_server, definitions, step_process, warm_up

        try:
            loaded = definitions.load(order)
        except PhemsError as error:
            self._send(HostFailed(str(error)))
            return error.exit_code
        warm_up.warm_up(loaded.repository)
        gc.collect()
        gc.freeze()  # what is loaded now is shared with every child: keep its pages untouched
        self._code_server_pid = self._start_code_server(lambda fd: code_server.serve(order, loaded, fd))
        self._send(HostLoaded(time.monotonic() - began, limits.DESCRIPTION))
        self._serve(lambda step: step_process.run(order, loaded, step))
        return 0

    def _start_code_server(self, serve: Callable[[int], None]) -> int:
        ready_read, ready_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ready_read)
            self._control.close()
            _end_after(lambda: serve(ready_write))
        os.close(ready_write)
        with selectors.DefaultSelector() as selector:
            selector.register(ready_read, selectors.EVENT_READ)
            listening = selector.select(CODE_SERVER_SECONDS) and os.read(ready_read, 1) == b"1"
        os.close(ready_read)
        if not listening:
            self._send(HostFailed("The code server did not come up; its log says why."))
            sys.exit(1)
        return pid

    def _serve(self, execute: Callable[[StepOrder], None]) -> None:
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select(self._until_next_kill())}
                if wake_read in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake_read, 4096)
                self._reap()
                if self._control in ready and not self._take_message(execute):
                    break
                self._kill_overdue()
        for task in self._tasks.values():
            process_tree.end(task.pid, signal.SIGKILL)
        process_tree.end(self._code_server_pid, signal.SIGKILL)

    def _take_message(self, execute: Callable[[StepOrder], None]) -> bool:
        packet, fds, _flags, _address = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, STEP_FDS)
        if not packet:
            return False
        message = unpack(packet)
        if isinstance(message, StartStep):
            self._start_step(message, fds, execute)
        elif isinstance(message, KillStep):
            self._kill(message)
        for fd in fds:
            os.close(fd)
        return True

    def _start_step(self, message: StartStep, fds: list[int], execute: Callable[[StepOrder], None]) -> None:
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            _end_after(lambda: _run_step(fds, execute))
        self._tasks[pid] = _Task(message.task_id, pid)
        self._send(StepStarted(message.task_id, pid))

    def _kill(self, message: KillStep) -> None:
        for task in self._tasks.values():
            if task.task_id == message.task_id and (message.force or task.kill_at is None):
                process_tree.end(task.pid, signal.SIGKILL if message.force else signal.SIGTERM)
                task.kill_at = time.monotonic() + POLITE_SECONDS

    def _until_next_kill(self) -> float | None:
        deadlines = [task.kill_at for task in self._tasks.values() if task.kill_at is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for task in self._tasks.values():
            if task.kill_at is not None and task.kill_at <= now:
                process_tree.end(task.pid, signal.SIGKILL)
                task.kill_at = now + POLITE_SECONDS

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == self._code_server_pid:
                sys.exit(1)  # the node restarts the whole host: a code server without its host is no host
            task = self._tasks.pop(pid, None)
            if task is not None:
                process_tree.end_strays({self._code_server_pid, *self._tasks})
                code = os.waitstatus_to_exitcode(status)
                self._send(StepExited(task.task_id, code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))

    def _send(self, message: HostMessage) -> None:
        self._control.send(pack(message))


def _run_step(fds: list[int], execute: Callable[[StepOrder], None]) -> None:
    order_fd, stdout_fd, stderr_fd = fds
    os.setsid()
    os.dup2(stdout_fd, 1)
    os.dup2(stderr_fd, 2)
    os.close(stdout_fd)
    os.close(stderr_fd)
    with os.fdopen(order_fd) as document:
        order = StepOrder.from_json(document.read())
    execute(order)


def _end_after(work: Callable[[], None]) -> NoReturn:
    """Do the child's work and leave without running the parent's exit handlers."""
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
