"""TLS before a Postgres that was built without it: answers a request for TLS, and forwards what is in it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.certificates import Issued

from phems.contract.relay import relay

_REQUEST = struct.Struct("!II")
_TLS, _GSS = 80877103, 80877104


class TlsFront:
    """Listens on 127.0.0.1, before a server on another port there, for the time of a `with` block."""

    def __init__(self, server: int, issued: Issued, authority: Path) -> None:
        self._server = server
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(issued.certificate, issued.key)
        self._context.load_verify_locations(authority)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.encrypted: list[bool] = []
        """Of each connection that came to a server: whether it was encrypted."""
        threading.Thread(target=self._accept, name="tls-front", daemon=True).start()

    def wants_certificates(self, wanted: bool) -> None:
        """Whether a client must have a certificate of the authority."""
        self._context.verify_mode = ssl.CERT_REQUIRED if wanted else ssl.CERT_NONE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(client)
            begin = client.recv(_REQUEST.size, socket.MSG_WAITALL)
            while len(begin) == _REQUEST.size and _REQUEST.unpack(begin)[1] == _GSS:
                client.sendall(b"N")
                begin = client.recv(_REQUEST.size, socket.MSG_WAITALL)
            if len(begin) < _REQUEST.size:
                return
            is_encrypted = _REQUEST.unpack(begin)[1] == _TLS
            if is_encrypted:
                client.sendall(b"S")
                client = stack.enter_context(self._context.wrap_socket(client, server_side=True))
                begin = b""
            server = stack.enter_context(socket.create_connection(("127.0.0.1", self._server)))
            self.encrypted.append(is_encrypted)
            server.sendall(begin)
            relay(client, server)
