"""The storage client: the project side's end of the storage service, over one connection.

A connection authenticates once with a capability and then asks, one call at a time. It is safe to
use from several threads. It holds no address, no password and no right but its capability's.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from phems import errors
from phems.contract.frames import receive_frame, send_frame
from phems.contract.wire import wire_codec
from phems.host import _dagster
from phems.host.connections import Connect

CODEC = wire_codec(_dagster)


class StorageClient:
    """Calls of the storage service with one capability; opened at the first call.

    `capability` gives the signed token when a connection is opened: a location's is kept fresh in a
    file by the node, a step's is renewed over the connection.
    """

    def __init__(self, connect: Connect, capability: Callable[[], str]) -> None:
        self._connect = connect
        self._capability = capability
        self._lock = threading.Lock()
        self._peer: socket.socket | None = None
        self._pid = os.getpid()
        self._renew_at = float("inf")

    def call(self, storage: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One call of a storage's method; raises what the service answers as an error of this tree."""
        request = {
            "storage": storage,
            "method": method,
            "args": [CODEC.encode(value) for value in args],
            "kwargs": {key: CODEC.encode(value) for key, value in kwargs.items()},
        }
        with self._lock:
            if time.monotonic() >= self._renew_at:
                self._renew()
            answer = self._exchange(request)
        return CODEC.decode(answer)

    def renew_if_due(self) -> None:
        """Ask for a fresh capability when the present one is past half its life."""
        if time.monotonic() >= self._renew_at:
            with self._lock:
                self._renew()

    def show(self) -> None:
        """Show the capability, if it never was: how long it lives is told then, and when to renew it."""
        if self._renew_at == float("inf"):
            with self._lock:
                self._connected()

    def another(self) -> StorageClient:
        """A connection of its own, with this one's capability as it is when it is opened."""
        return StorageClient(self._connect, self._token)

    def close(self) -> None:
        """Close the connection; a later call opens it again."""
        with self._lock:
            self._drop()

    def _token(self) -> str:
        return self._capability()  # which another takes the place of when it is renewed

    def _renew(self) -> None:
        answer = self._exchange({"storage": "capability", "method": "renew", "args": [], "kwargs": {}})
        self._take(CODEC.decode(answer))

    def _take(self, granted: dict[str, Any]) -> None:
        fresh = str(granted["capability"])
        self._capability = lambda: fresh
        self._renew_at = time.monotonic() + granted["seconds"] / 2

    def _exchange(self, request: dict[str, Any]) -> Any:
        peer = self._connected()
        try:
            send_frame(peer, request)
            answer = receive_frame(peer)
        except (OSError, errors.PhemsError):
            self._drop()
            raise
        return _result(answer)

    def _connected(self) -> socket.socket:
        if self._peer is not None and self._pid == os.getpid():
            return self._peer
        # After a fork the socket is the parent's: two processes must not share one conversation.
        peer = self._connect()
        try:
            send_frame(peer, {"capability": self._capability()})
            granted = _result(receive_frame(peer))
        except (OSError, errors.PhemsError):
            peer.close()
            raise
        self._peer, self._pid = peer, os.getpid()
        # Never later than before: who connects again and again would put it off until it is too late.
        self._renew_at = min(self._renew_at, time.monotonic() + granted["seconds"] / 2)
        return peer

    def _drop(self) -> None:
        if self._peer is not None:
            with contextlib.suppress(OSError):
                self._peer.close()
            self._peer = None


def _result(answer: object) -> Any:
    if not isinstance(answer, dict):
        raise errors.UnavailableError("The storage service closed the connection.")
    problem = answer.get("error")
    if problem is None:
        return answer["result"]
    kind = getattr(errors, str(problem.get("type")), errors.PhemsError)
    raise kind(
        problem.get("what", "The storage service refused."),
        why=problem.get("why", ""),
        remedy=problem.get("remedy", ""),
    )
