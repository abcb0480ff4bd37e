"""The hosts of a pod: each a process with a folder for its sockets, ended with all that it started."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from phems.contract.frames import send_frame
from phems.contract.host_messages import MAX_MESSAGE_BYTES
from phems.contract.step_order import HostOrder
from phems.host import process_tree

COMMAND = (sys.executable, "-P", "-m", "phems.host")
CAPABILITY, STORAGE, CODE_SERVER = "capability", "storage.sock", "grpc.sock"
MAX_WAITING_CALLS = 16


@dataclass(frozen=True)
class HostOfPod:
    """A running host: its control socket, and the folder that it shares with this process."""

    control: socket.socket
    storage: socket.socket
    folder: Path

    def tell(self, peer: socket.socket) -> None:
        """Hand on what the host says, until it ends or `peer` does."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(peer, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if peer.fileno() in ready:
                return  # it has nothing more to say, so it has ended
            packet = self.control.recv(MAX_MESSAGE_BYTES)
            if not packet:
                return
            send_frame(peer, {"packet": packet.decode()})

    def keep_capability(self, capability: str) -> None:
        """Put it where the host looks when it opens a connection."""
        file = self.folder / CAPABILITY
        descriptor, fresh = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(descriptor, "w") as written:
            written.write(capability)
        Path(fresh).rename(file)

    def storage_call(self, peer: socket.socket) -> socket.socket | None:
        """A connection to the storage service that the host has opened; None when `peer` ends before."""
        poll = select.poll()
        poll.register(self.storage, select.POLLIN)
        poll.register(peer, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if peer.fileno() in ready or self.storage.fileno() < 0:
                return None
            with suppress(BlockingIOError):  # another stream was faster
                return self.storage.accept()[0]

    def code_server(self) -> socket.socket:
        """A connection to its code server."""
        there = socket.socket(socket.AF_UNIX)
        try:
            there.connect(str(self.folder / CODE_SERVER))
        except OSError:
            there.close()
            raise
        return there


class Processes:
    """Starts the processes of hosts, and ends them with all that they left behind."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._lock = threading.Lock()

    @contextmanager
    def start(self, order: str, capability: str) -> Iterator[HostOfPod]:
        """A host by this order; it runs until the end of the block."""
        folder = Path(tempfile.mkdtemp(prefix="host-"))
        try:
            with socket.socket(socket.AF_UNIX) as storage:
                storage.bind(str(folder / STORAGE))
                storage.listen(MAX_WAITING_CALLS)
                storage.settimeout(0)
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with ours:
                    host = HostOfPod(ours, storage, folder)
                    host.keep_capability(capability)
                    with theirs:
                        process = self._start(theirs.fileno())
                    try:
                        ours.send(_here(order, folder).to_json().encode())
                        yield host
                    finally:
                        self._end(process)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self, descriptor: int) -> subprocess.Popen[bytes]:
        with self._lock:
            process = subprocess.Popen(
                [*COMMAND, str(descriptor)],
                stdin=subprocess.DEVNULL,
                pass_fds=[descriptor],
                start_new_session=True,
            )
            self._running.add(process.pid)
            return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            process_tree.end(process.pid, signal.SIGKILL)
            process.wait()
            self._running.discard(process.pid)
            # What had left its parent before is this process's child now.
            process_tree.end_strays(self._running)
            process_tree.bury_strays(self._running)


def has_code(order: str) -> bool:
    """Whether the code of this order is here: a volume may show what was put there a minute later."""
    return Path(HostOrder.from_json(order).root).is_dir()


def _here(order: str, folder: Path) -> HostOrder:
    """The order, with the paths of this pod."""
    return replace(
        HostOrder.from_json(order),
        capability_file=str(folder / CAPABILITY),
        storage_socket=str(folder / STORAGE),
        code_server_socket=str(folder / CODE_SERVER),
    )
