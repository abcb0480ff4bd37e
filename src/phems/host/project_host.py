"""The project host: loads a project's definitions once, then forks what serves and what executes.

It stays single-threaded for life, because it forks (a threaded gRPC server must never be forked):
one child is the code server, the others execute steps (`step_processes`). It reads no capability of a
step: that travels in a file which the child alone reads.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable

from phems.contract.host_messages import (
    MAX_MESSAGE_BYTES,
    HostFailed,
    HostLoaded,
    HostMessage,
    KillStep,
    StartStep,
    StepStarted,
    pack,
    unpack,
)
from phems.contract.step_order import HostOrder
from phems.errors import PhemsError
from phems.host import limits, privacy, process_tree
from phems.host.step_loop import STEP_FDS, leave_after
from phems.host.step_processes import Execute, StepProcesses

CODE_SERVER_SECONDS = 60.0


class ProjectHost:
    """One host, one project, one code revision. `run` returns when the node closes the control socket."""

    def __init__(self, control_fd: int) -> None:
        self._control = socket.socket(fileno=control_fd)
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
        if order.mlflow:
            from phems.host import mlflow_relay  # noqa: F401 (for the forks)
        gc.collect()
        gc.freeze()  # what is loaded now is shared with every child: keep its pages untouched
        self._code_server_pid = self._start_code_server(lambda fd: code_server.serve(order, loaded, fd))
        self._send(HostLoaded(time.monotonic() - began, limits.DESCRIPTION))
        self._serve(lambda order_fd: step_process.run(order, loaded, order_fd))
        return 0

    def _start_code_server(self, serve: Callable[[int], None]) -> int:
        ready_read, ready_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ready_read)
            self._control.close()
            leave_after(lambda: serve(ready_write))
        os.close(ready_write)
        with selectors.DefaultSelector() as selector:
            selector.register(ready_read, selectors.EVENT_READ)
            listening = selector.select(CODE_SERVER_SECONDS) and os.read(ready_read, 1) == b"1"
        os.close(ready_read)
        if not listening:
            self._send(HostFailed("The code server did not come up; its log says why."))
            sys.exit(1)
        return pid

    def _serve(self, execute: Execute) -> None:
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        steps = StepProcesses(execute, spare={self._code_server_pid})
        while True:
            listened: list[socket.socket | int] = [self._control, wake_read, *steps.channels()]
            ready, _, _ = select.select(listened, [], [], steps.until_next_deadline())
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
            for channel in ready:
                # Before the reaping: what a process said before it left counts.
                if isinstance(channel, socket.socket) and channel is not self._control:
                    self._tell(steps.heard(channel))
            self._reap(steps)
            if self._control in ready and not self._take_message(steps):
                break
            steps.kill_overdue()
        steps.kill_all()
        process_tree.end(self._code_server_pid, signal.SIGKILL)

    def _take_message(self, steps: StepProcesses) -> bool:
        packet, fds, _flags, _address = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, STEP_FDS)
        if not packet:
            return False
        message = unpack(packet)
        if isinstance(message, StartStep):
            pid = steps.start(message.task_id, message.family, fds, self._control.close)
            self._send(StepStarted(message.task_id, pid))
        elif isinstance(message, KillStep):
            steps.kill(message.task_id, force=message.force)
        for fd in fds:
            os.close(fd)
        return True

    def _reap(self, steps: StepProcesses) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == self._code_server_pid:
                sys.exit(1)  # the node restarts the whole host: a code server without its host is no host
            self._tell(steps.reaped(pid, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))

    def _tell(self, message: HostMessage | None) -> None:
        if message is not None:
            self._send(message)

    def _send(self, message: HostMessage) -> None:
        self._control.send(pack(message))
