"""Starting the process of a project host, with its control socket as the only thing it inherits."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phems.contract.step_order import HostOrder
from phems.errors import UnavailableError


@dataclass
class StartedHost:
    """A running host process; see `engine.sandbox.HostProcess`."""

    process: subprocess.Popen[bytes]
    control: socket.socket

    @property
    def pid(self) -> int:
        """Its process number, outside of the sandbox."""
        return self.process.pid

    def wait(self) -> int:
        """Wait for its end."""
        return self.process.wait()

    def kill(self) -> None:
        """End its session at once; bubblewrap's `--die-with-parent` takes the sandbox with it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.control.close()

    def why_ended(self) -> str:
        """Its own log says it, and the host's last message."""
        return ""


def start(
    command: Callable[[int], Sequence[str]],
    order: HostOrder,
    log_file: Path,
    environment: dict[str, str],
    inherit: Sequence[int] = (),
) -> StartedHost:
    """Start `command(fd)` with one end of a socket pair as `fd` and send it the order.

    `inherit` are further files that the command itself reads and does not hand on.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with theirs, log_file.open("ab") as log:
            process = subprocess.Popen(
                list(command(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=[theirs.fileno(), *inherit],
                start_new_session=True,
            )
    except OSError as error:
        ours.close()
        raise UnavailableError(
            f"The host of project {order.project} could not be started.",
            why=str(error),
            remedy="See `phems status`, and the log " + str(log_file),
        ) from error
    ours.send(order.to_json().encode())
    return StartedHost(process, ours)
