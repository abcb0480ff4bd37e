"""A TCP proxy of the tests: stands before a service and does to its connections what a bad network does.

`cut` ends every connection now; `cutting` ends them at random moments, by a seed; `pause` lets nothing
through, as a firewall does that drops packets (connections stay open, new ones are taken and hang), until
`resume`.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

CHUNK = 1 << 16
ACCEPT_SECONDS = 0.05
# Closed like this, the other side is told of a reset, and not of an orderly end.
RESET = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Pair:
    """One connection: the socket of who came, and the one to the service."""

    near: socket.socket
    far: socket.socket
    is_cut: threading.Event = field(default_factory=threading.Event)

    def cut(self) -> None:
        self.is_cut.set()
        for end in (self.near, self.far):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            # Wakes who waits for it in another thread; close alone does not.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class TcpProxy:
    """Listens on a free port of this machine, and hands everything to another one, or to a Unix socket."""

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(ACCEPT_SECONDS)
        self.port = int(self._listener.getsockname()[1])
        self._pairs: set[_Pair] = set()
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._pairs)

    def cut(self) -> int:
        """Reset every connection now; how many there were. New ones are taken as before."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.cut()
        return len(pairs)

    def pause(self) -> None:
        """Let nothing through, in either direction, and close nothing."""
        self._flowing.clear()

    def resume(self) -> None:
        """Let everything through again, what has come in the meantime first."""
        self._flowing.set()

    @contextmanager
    def cutting(self, seed: int, *, between: tuple[float, float] = (0.1, 1.0)) -> Iterator[list[int]]:
        """Cut all connections again and again for the time of the block, at moments that the seed decides.

        Gives a list that grows by the number of connections of each cut.
        """
        random_ = random.Random(seed)  # noqa: S311 (to be repeated, not to be secret)
        ended = threading.Event()
        cuts: list[int] = []

        def work() -> None:
            while not ended.wait(random_.uniform(*between)):
                cuts.append(self.cut())

        thread = threading.Thread(target=work, name="tcp-proxy-cuts", daemon=True)
        thread.start()
        try:
            yield cuts
        finally:
            ended.set()
            thread.join()

    def close(self) -> None:
        """End the proxy and what goes through it. Idempotent."""
        self._closing.set()
        self._flowing.set()
        self.cut()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="tcp-proxy", daemon=True)  # type: ignore[arg-type]
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._spawn(self._serve, near)

    def _serve(self, near: socket.socket) -> None:
        with near:
            self._flowing.wait()
            try:
                far = _connected(self._target)
            except OSError:
                return  # nobody there: who came is told by the end of the connection
            with far:
                pair = _Pair(near, far)
                with self._lock:
                    self._pairs.add(pair)
                try:
                    if not self._closing.is_set():
                        self._carry(pair)
                finally:
                    with self._lock:
                        self._pairs.discard(pair)

    def _carry(self, pair: _Pair) -> None:
        """Both directions, each in its own time: who only sends must not wait for who only answers."""
        for end in (pair.near, pair.far):
            end.settimeout(None)
        back = threading.Thread(target=self._pump, args=[pair, pair.far, pair.near], daemon=True)
        back.start()
        self._pump(pair, pair.near, pair.far)
        back.join()

    def _pump(self, pair: _Pair, source: socket.socket, target: socket.socket) -> None:
        """One direction, until its source has ended and the rest is handed on."""
        try:
            while data := source.recv(CHUNK):
                self._flowing.wait()
                if pair.is_cut.is_set():
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pair.cut()


def _connected(target: int | Path) -> socket.socket:
    if isinstance(target, int):
        return socket.create_connection(("127.0.0.1", target), timeout=10)
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(str(target))
    except OSError:
        made.close()
        raise
    return made
