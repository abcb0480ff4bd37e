"""HTTP over a Unix socket, from the asking side: between the node and what it keeps in sandboxes."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path


class UnixConnection(http.client.HTTPConnection):
    """The standard library's connection; `host` is what the request names, `path` where it goes."""

    def __init__(self, path: Path | str, *, host: str, seconds: float) -> None:
        super().__init__(host, timeout=seconds)
        self._path = str(path)

    def connect(self) -> None:
        """See `http.client.HTTPConnection.connect`."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
