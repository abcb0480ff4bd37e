"""Streams to the pod of a project's host: each a connection by TLS, opened by its first frame."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress

from phems.adapters.host_pods.keys import HostKeys
from phems.contract.frames import send_frame
from phems.contract.host_pod import KEEP_ALIVE_SECONDS, Opening, server_name
from phems.errors import UnavailableError

CONNECT_SECONDS = 10.0


class Streams:
    """Those of one host. Closing them ends all at once, whoever reads or writes them."""

    def __init__(self, project: str, address: tuple[str, int], keys: HostKeys) -> None:
        self._project = project
        self._address = address
        self._context = keys.context_for(project)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.is_closed = False

    def open(self, opening: Opening) -> ssl.SSLSocket:
        """A new one; raises `UnavailableError`, which says why there is none."""
        try:
            raw = socket.create_connection(self._address, CONNECT_SECONDS)
        except OSError as error:
            raise UnavailableError(
                f"The pod of the project's host does not answer at {self._at}: {error}."
            ) from error
        self.keep(raw)
        try:
            for name, seconds in KEEP_ALIVE_SECONDS.items():
                raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = self._context.wrap_socket(raw, server_hostname=server_name(self._project))
        except OSError as error:
            self.drop(raw)
            raise UnavailableError(
                f"What answers at {self._at} is not the pod of {self._project}'s host: {error}."
            ) from error
        self.drop(raw)  # it is the TLS connection's now
        self.keep(peer)
        try:
            send_frame(peer, opening.to_frame())
            peer.settimeout(None)
        except OSError as error:
            self.drop(peer)
            raise UnavailableError(f"The pod of the project's host at {self._at} ended: {error}.") from error
        return peer

    def drop(self, peer: socket.socket) -> None:
        """End one."""
        with self._lock:
            self._open.discard(peer)
        peer.close()

    def keep(self, peer: socket.socket) -> None:
        """End this one too when all are ended."""
        with self._lock:
            if self.is_closed:
                peer.close()
                raise UnavailableError("The host has been ended.")
            self._open.add(peer)

    def close(self) -> None:
        """End all: who waits for something is woken, and closes its own."""
        with self._lock:
            self.is_closed = True
            for peer in self._open:
                # Not the TLS connection's own way: a thread that still writes would write in the clear.
                with suppress(OSError):
                    socket.socket.shutdown(peer, socket.SHUT_RDWR)

    @property
    def _at(self) -> str:
        host, port = self._address
        return f"{host}:{port}"
