"""Carrying bytes between two connections, both ways, until one of them ends, whatever they say.

One thread does both ways: a TLS connection must not be used by two at once. A part of each way is held at
most: while it is not taken, no more is read.
"""

from __future__ import annotations

import select
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

PART = 1 << 16


class _Way:
    """One direction."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self._source, self._target = source, target
        self._part = b""
        self.has_ended = False

    def step(self) -> tuple[int, int] | None:
        """Receive or send once; else which connection is to be waited for, and for what."""
        subject, event = (self._target, select.POLLOUT) if self._part else (self._source, select.POLLIN)
        try:
            if self._part:
                self._part = self._part[self._target.send(self._part) :]
            else:
                self._part = self._source.recv(PART)
                self.has_ended = not self._part
        except ssl.SSLWantReadError:
            return subject.fileno(), select.POLLIN
        except ssl.SSLWantWriteError:
            return subject.fileno(), select.POLLOUT
        except BlockingIOError:
            return subject.fileno(), event
        return None


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry until one of them ends, and all that it said is through; raises `OSError` when one breaks."""
    one.settimeout(0)
    other.settimeout(0)
    there, back = _Way(one, other), _Way(other, one)
    while not (there.has_ended or back.has_ended):
        waits = (there.step(), back.step())
        if None in waits:
            continue
        awaited: dict[int, int] = {}
        for descriptor, event in filter(None, waits):
            awaited[descriptor] = awaited.get(descriptor, 0) | event
        poll = select.poll()
        for descriptor, event in awaited.items():
            poll.register(descriptor, event)
        poll.poll()
