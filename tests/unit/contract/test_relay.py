"""Carrying between two connections: all that is said arrives, both ways, and who does not take it waits."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from phems.contract.host_pod import Opening
from phems.contract.relay import PART, relay
from phems.errors import IntegrityError

MUCH = 40 * PART
SECONDS = 60


@contextmanager
def carried() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends, with a relay between them; it is over with the block."""
    ours, one = socket.socketpair()
    other, theirs = socket.socketpair()
    thread = threading.Thread(target=relay, args=(one, other))
    with ours, theirs, one, other:
        ours.settimeout(SECONDS)
        theirs.settimeout(SECONDS)
        thread.start()
        try:
            yield ours, theirs
        finally:
            ours.close()
            thread.join(SECONDS)
            assert not thread.is_alive()


def test_what_is_said_arrives_whole_however_much_it_is() -> None:
    """More than any buffer takes, both ways at once, while nobody reads at first."""
    said = os.urandom(MUCH)
    with carried() as (ours, theirs):
        senders = [threading.Thread(target=end.sendall, args=(said,)) for end in (ours, theirs)]
        for sender in senders:
            sender.start()
        assert received(theirs) == said
        assert received(ours) == said
        for sender in senders:
            sender.join(SECONDS)


def test_the_last_words_arrive_before_the_end() -> None:
    with carried() as (ours, theirs):
        ours.sendall(b"the last words")
        ours.shutdown(socket.SHUT_WR)
        assert theirs.recv(99) == b"the last words"


class Moody:
    """One end of a TLS connection: it must read to write, and write to read, when it renews its keys."""

    def __init__(self, inner: socket.socket) -> None:
        self.inner = inner
        self.moods: list[Exception] = [ssl.SSLWantWriteError(), ssl.SSLWantReadError()]

    def settimeout(self, seconds: float) -> None:
        self.inner.settimeout(seconds)

    def fileno(self) -> int:
        return self.inner.fileno()

    def recv(self, size: int) -> bytes:
        if self.moods:
            raise self.moods.pop(0)
        return self.inner.recv(size)

    def send(self, part: bytes) -> int:
        return self.inner.send(part)


def test_a_connection_that_wants_something_else_first_is_given_it() -> None:
    ours, one = socket.socketpair()
    other, theirs = socket.socketpair()
    with ours, theirs, one, other:
        ours.sendall(b"hello")
        ours.shutdown(socket.SHUT_WR)
        relay(Moody(one), other)  # type: ignore[arg-type]
        assert theirs.recv(99) == b"hello"


@pytest.mark.parametrize(
    "frame",
    [None, [], {}, {"stream": "shell"}, {"stream": "host", "more": "x"}, {"stream": "host", "order": 1}],
)
def test_a_stream_that_does_not_say_what_it_is_is_refused(frame: object) -> None:
    with pytest.raises(IntegrityError, match="must say which it is"):
        Opening.from_frame(frame)


def test_a_stream_says_what_it_is() -> None:
    opening = Opening("wall", "a", capability="token")
    assert Opening.from_frame(opening.to_frame()) == opening


def received(end: socket.socket) -> bytes:
    """All of it."""
    found = bytearray()
    while len(found) < MUCH:
        found += end.recv(PART)
    return bytes(found)
