"""How much one person may have open at once: requests that wait for their answer, and WebSockets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import HTTPConnection
from starlette.responses import Response

from phems.errors import RefusedError
from phems.gateway.callers import Caller
from phems.gateway.replies import error_reply
from phems.nodespec.gateway import Connections

RETRY_SECONDS = 2
WHAT = {"http": "requests", "websocket": "WebSockets"}
KEYS = {"http": "requests_per_person", "websocket": "websockets_per_person"}


class OpenRequests:
    """Counts what is open, by person. Used by the gateway's event loop alone."""

    def __init__(self, limits: Connections | None) -> None:
        self._most = {kind: getattr(limits, key) for kind, key in KEYS.items()} if limits is not None else {}
        self._open: Counter[tuple[str, str]] = Counter()
        self.refused = dict.fromkeys(KEYS.values(), 0)
        """How many were turned away, by the key of node.yaml."""

    def one_too_many(self, connection: HTTPConnection, caller: Caller) -> Response | None:
        """The refusal of a request of somebody who has as many open as one may have."""
        kind = connection.scope["type"]
        most = self._most.get(kind)
        if most is None or self._open[kind, caller.name] < most:
            return None
        self.refused[KEYS[kind]] += 1
        error = RefusedError(
            f"You have {most} {WHAT[kind]} open, and may have no more.",
            why="What one holds open without end, the others lack.",
            remedy=f"Close some pages. An operator may raise gateway.connections.{KEYS[kind]} in node.yaml.",
        )
        return error_reply(connection, error, status=429, headers={"Retry-After": str(RETRY_SECONDS)})

    def count(self, kind: str) -> int:
        """How many of a kind are open."""
        return sum(number for (which, _), number in self._open.items() if which == kind)

    @contextmanager
    def open(self, connection: HTTPConnection, caller: Caller) -> Iterator[None]:
        """Count one as open for the time of the block."""
        key = connection.scope["type"], caller.name
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
