"""Doors in the wall: where the storage service listens. Behind each of them the same service answers.

On this machine it is a Unix socket in a folder that only the node may change. To the pods of a cluster it is
TLS on a port of the worker's own; there is no door without TLS that a network leads to.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from phems.errors import UnavailableError

WAITING_CONNECTIONS = 512
# A pod that is gone without a word is noticed after some three minutes.
KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 30), (socket.TCP_KEEPCNT, 4))


class Door(Protocol):
    """A bound socket that listens, and what makes a connection of it safe to speak over."""

    @property
    def listening(self) -> socket.socket:
        """The socket."""
        ...

    def secured(self, peer: socket.socket) -> socket.socket:
        """The connection to speak over; raises `OSError` for one that will not be secured in its time."""
        ...

    def knock(self) -> None:
        """Connect and leave: who waits for connections wakes up."""
        ...

    def close(self) -> None:
        """Listen no more."""
        ...


class UnixDoor:
    """A Unix socket at `path`, whose folder is closed to others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        path.chmod(0o666)  # its folder is closed to others; the sandbox may run under another user
        self.listening.listen(WAITING_CONNECTIONS)

    def secured(self, peer: socket.socket) -> socket.socket:
        """See `Door`: no network leads here."""
        return peer

    def knock(self) -> None:
        """See `Door`."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.path))

    def close(self) -> None:
        """See `Door`."""
        self.listening.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


class TlsDoor:
    """TLS at `host`, on the first of `ports` that is free: each worker of a pod has a port of its own."""

    def __init__(self, host: str, ports: Sequence[int], context: ssl.SSLContext) -> None:
        self.host = host
        self._context = context
        try:
            self.listening = first_free(host, ports)
        except OSError as error:
            raise UnavailableError(
                f"The storage service has no port to listen on at {host}.",
                why=f"{ports[0]} to {ports[-1]}: {error}.",
                remedy="Give the projects of this pool to several pools (queue.pool in node.yaml).",
            ) from error
        self.port: int = self.listening.getsockname()[1]

    def secured(self, peer: socket.socket) -> socket.socket:
        """See `Door`: the handshake takes no longer than the connection's time-out."""
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEP_ALIVE:
            peer.setsockopt(socket.IPPROTO_TCP, option, value)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._context.wrap_socket(peer, server_side=True)

    def knock(self) -> None:
        """See `Door`."""
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1):
            pass

    def close(self) -> None:
        """See `Door`."""
        self.listening.close()


def first_free(host: str, ports: Sequence[int]) -> socket.socket:
    """A socket that listens at `host` on the first of `ports` that nobody has; OSError when each is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    problem = OSError("there is none")
    for port in ports:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(WAITING_CONNECTIONS)
        except OSError as error:
            listening.close()
            problem = error
        else:
            return listening
    raise problem


class Doorkeeper(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Takes the connections of a door, each in a thread; `may_enter` says whether there is room for one.

    Who was let in and gets no thread after all is given back by `on_turned_away`.
    """

    daemon_threads = True

    def __init__(
        self,
        door: Door,
        converse: Callable[[socket.socket], None],
        may_enter: Callable[[], bool],
        on_turned_away: Callable[[], None],
    ) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                converse(self.request)

        # The socket is the door's own, bound and listening.
        socketserver.BaseServer.__init__(self, door.listening.getsockname(), Handler)
        self.socket = door.listening
        self._may_enter = may_enter
        self._on_turned_away = on_turned_away

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 (the base class's)
        """Whether there is room."""
        return self._may_enter()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give it a thread."""
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread for it: nobody else gives its place back
            self._on_turned_away()
            raise
