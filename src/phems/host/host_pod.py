"""The first process of a host's pod: control processes connect, and each is given hosts of its own.

It loads no project code. For each host that is asked for it starts a fresh process, which loads that code
revision and serves it; the process ends with the connection that asked. What goes to and fro is carried
unread. It holds one key, which says whose pod this is, and connects to nobody.
"""

from __future__ import annotations

import secrets
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

from phems.contract.frames import receive_frame, send_frame
from phems.contract.host_pod import (
    CERTIFICATE_FILE,
    CONTROL_FILE,
    KEEP_ALIVE_SECONDS,
    KEY_FILE,
    MAX_OPENING_BYTES,
    PORT,
    Opening,
)
from phems.contract.relay import relay
from phems.errors import PhemsError, RefusedError
from phems.host import privacy, process_tree
from phems.host.hosts_of_pod import HostOfPod, Processes, has_code

OPENING_SECONDS = 10.0
MAX_STREAMS = 256
# A pod that answers nobody fails its probes: the connections that nobody takes are few.
WAITING_CONNECTIONS = 16


def run_pod(folder: str, port: int = PORT) -> NoReturn:
    """Serve hosts until the pod is ended; its files lie in `folder`."""
    # The first process of a container gets no signal that it has not asked for.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    process_tree.become_subreaper()
    privacy.keep_to_itself()
    listening = _listening(port)
    sys.stderr.write(f"The project's host listens on port {listening.getsockname()[1]}.\n")
    pod = HostPod(lambda: _context(Path(folder)), Processes())
    while True:
        pod.take(listening.accept()[0])


def _listening(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        with suppress(OSError):  # a machine without IPv6 addresses
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=WAITING_CONNECTIONS
            )
    return socket.create_server(("", port), backlog=WAITING_CONNECTIONS)


def _context(folder: Path) -> ssl.SSLContext:
    """How this pod speaks TLS, by the files of this moment: the cluster puts new ones in their place."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / CERTIFICATE_FILE, folder / KEY_FILE)
    context.load_verify_locations(folder / CONTROL_FILE)
    return context


class HostPod:
    """Takes connections, each in a thread of its own."""

    def __init__(self, context: Callable[[], ssl.SSLContext], processes: Processes) -> None:
        self._context = context
        self._processes = processes
        self._hosts: dict[str, HostOfPod] = {}
        self._places = threading.BoundedSemaphore(MAX_STREAMS)

    def take(self, peer: socket.socket) -> None:
        """Serve who has connected, unless there are too many."""
        if not self._places.acquire(blocking=False):
            peer.close()
            return
        threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            with suppress(OSError, PhemsError, ValueError), ExitStack() as stack:
                stack.callback(raw.close)
                raw.settimeout(OPENING_SECONDS)
                for name, seconds in KEEP_ALIVE_SECONDS.items():
                    raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer = stack.enter_context(self._context().wrap_socket(raw, server_side=True))
                until = time.monotonic() + OPENING_SECONDS
                opening = Opening.from_frame(receive_frame(peer, MAX_OPENING_BYTES, until=until))
                peer.settimeout(None)
                self._give(peer, opening)
        finally:
            self._places.release()

    def _give(self, peer: socket.socket, opening: Opening) -> None:
        if opening.stream == "host":
            self._run(peer, opening)
            return
        host = self._hosts.get(opening.host)
        if host is None:
            raise RefusedError("There is no such host.")
        if opening.stream == "wall":
            host.keep_capability(opening.capability)
        there = host.storage_call(peer) if opening.stream == "wall" else host.code_server()
        if there is not None:
            with there:
                relay(peer, there)

    def _run(self, peer: socket.socket, opening: Opening) -> None:
        name = secrets.token_hex(16)
        if not has_code(opening.order):
            send_frame(peer, {"host": ""})
            return
        with self._processes.start(opening.order, opening.capability) as host:
            self._hosts[name] = host
            try:
                send_frame(peer, {"host": name})
                host.tell(peer)
            finally:
                del self._hosts[name]
