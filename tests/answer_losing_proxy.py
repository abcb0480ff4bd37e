"""A proxy on a Unix socket that loses the answer to a message: it was done, and the client never hears.

What a bad network does to TCP connections at large is `tests.tcp_proxy`'s.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK = 64 * 1024


class AnswerLosingProxy:
    """Listens on `at`, and forwards each connection to `to`, for the time of a `with` block."""

    def __init__(self, at: Path, to: Path) -> None:
        self._to = to
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(at))
        self._listener.listen(128)
        self._lock = threading.Lock()
        self._open: list[tuple[socket.socket, socket.socket]] = []
        self._is_closed = False
        self._swallowed: bytes | None = None
        self.swallowed = threading.Event()
        """Set when an answer was lost."""
        self.is_refusing = False
        """Whether new connections are closed at once."""
        threading.Thread(target=self._accept, name="answer-losing-proxy", daemon=True).start()

    def cut(self) -> int:
        """Cut every connection; gives how many there were."""
        with self._lock:
            pairs, self._open = self._open, []
        for pair in pairs:
            _end(*pair)
        return len(pairs)

    def swallow_answer_to(self, message: bytes) -> None:
        """Let the next message that holds these bytes through, and cut its connection when it is answered."""
        self.swallowed.clear()
        self._swallowed = message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                if self.is_refusing:
                    raise ConnectionRefusedError
                server.connect(str(self._to))
            except OSError:
                _end(client, server)
                continue
            with self._lock:
                self._open.append((client, server))
            lost = threading.Event()
            for forward, args in (
                (self._to_server, (client, server, lost)),
                (self._to_client, (server, client, lost)),
            ):
                threading.Thread(target=forward, args=args, daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(CHUNK):
                if self._swallowed is not None and self._swallowed in data:
                    self._swallowed = None
                    lost.set()
                server.sendall(data)
        _end(client, server)

    def _to_client(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(CHUNK):
                if lost.is_set():
                    self.swallowed.set()
                    break
                client.sendall(data)
        _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
