"""A server's one way to Postgres: a Unix socket that leads to the node's database, and to nothing else.

The sandbox has no network, and the folder of the embedded Postgres is open to one account alone. So the node
carries the bytes between the two, and speaks TLS where node.yaml asks for it: libpq does not, over a Unix
socket. Who may do what there is Postgres's own matter: the role that logs in owns one schema.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from sqlalchemy import URL

from phems.contract.relay import relay

PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"
_TLS_REQUEST = struct.pack("!ii", 8, 80877103)  # SSLRequest of Postgres's protocol
_CONNECT_SECONDS = 10.0
Connect = Callable[[], socket.socket]


class DatabaseRelay:
    """Listens in a folder until closed."""

    def __init__(self, folder: Path, connect: Connect) -> None:
        self._connect = connect
        self._path = folder / SOCKET
        self._path.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self._path))
        self._listening.listen(16)
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._serve, name="phems-mlflow-database", daemon=True).start()

    def close(self) -> None:
        """Listen no more, and cut what is connected."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes up who accepts
        self._listening.close()
        self._path.unlink(missing_ok=True)
        for peer in list(self._open):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=[client], daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), self._connect() as server:
            both = {client, server}
            self._open |= both
            try:
                relay(client, server)
            finally:
                self._open -= both


def way_to(address: URL, tls: Mapping[str, str]) -> Connect:
    """How to connect to a database; `tls` in libpq's words."""
    host = str(address.query.get("host") or address.host or "localhost")
    port = int(str(address.query.get("port") or address.port or PORT))
    context = _context(tls)

    def connect() -> socket.socket:
        if host.startswith("/"):
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(f"{host}/.s.PGSQL.{port}")
            return peer
        peer = socket.create_connection((host, port), _CONNECT_SECONDS)
        peer.settimeout(None)
        if context is None:
            return peer
        peer.sendall(_TLS_REQUEST)
        if peer.recv(1) != b"S":
            peer.close()
            raise ConnectionError("the server speaks no TLS")
        return context.wrap_socket(peer, server_hostname=host)

    return connect


def _context(tls: Mapping[str, str]) -> ssl.SSLContext | None:
    mode = tls.get("sslmode", "disable")
    if mode in {"disable", "allow", "prefer"}:
        return None
    context = ssl.create_default_context(cafile=tls.get("sslrootcert"))
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    if "sslcert" in tls:
        context.load_cert_chain(tls["sslcert"], tls.get("sslkey"))
    return context
