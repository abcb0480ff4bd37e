"""HTTP as the gateway speaks it: uvicorn's over h11, with limits on who keeps a connection without using it.

Uvicorn ends a connection that is idle after an answer; one whose headers trickle in, or never come, it keeps
for ever. Here headers have so many seconds from when they may begin, and one address so many connections.
(A body that trickles in is `request_limits.BodyLimit`'s.)
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from phems.gateway.client_address import Network, is_in, networks
from phems.nodespec.gateway import Connections

HEADER_SECONDS = 15.0
HEADER_BYTES = 32 * 1024


@dataclass
class OpenConnections:
    """The connections of one gateway, by address. Used by its event loop alone."""

    limits: Connections | None = None
    proxies: Sequence[Network] = ()
    header_seconds: float = HEADER_SECONDS
    by_address: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    """How many were closed at once, because their address or the gateway had too many."""
    slow: int = 0
    """How many were closed because their headers did not come."""

    @property
    def total(self) -> int:
        """How many are open."""
        return self.by_address.total()

    def may_open(self, address: str) -> bool:
        """Whether an address may have one more."""
        limits = self.limits
        if limits is None:
            return True
        if self.total >= limits.total:
            return False
        return is_in(address, self.proxies) or self.by_address[address] < limits.per_address


def connections_of(limits: Connections | None, trusted_proxies: Sequence[str]) -> OpenConnections:
    """Nothing open yet."""
    return OpenConnections(limits, networks(trusted_proxies))


class GuardedProtocol(H11Protocol):
    """One connection. `guarded_by` makes the class for a gateway."""

    open_connections: OpenConnections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it at once."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._waiting: asyncio.TimerHandle | None = None
        opened = self.open_connections
        self._counted = opened.may_open(self._address)
        if not self._counted:
            opened.refused += 1
            transport.abort()
            return
        opened.by_address[self._address] += 1
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place back."""
        self._stop_waiting()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; the first bytes after an answer begin new headers."""
        if self._waiting is None and self._is_idle():
            self._wait_for_headers()
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """The connection becomes a WebSocket: from here on `open_requests` counts it, by person."""
        self._stop_waiting()
        self._leave()
        super().handle_websocket_upgrade(event)

    def _leave(self) -> None:
        if not self._counted:
            return
        self._counted = False
        counted = self.open_connections.by_address
        counted[self._address] -= 1
        if not counted[self._address]:
            del counted[self._address]

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_headers(self) -> None:
        self._waiting = self.loop.call_later(self.open_connections.header_seconds, self._headers_are_late)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _headers_are_late(self) -> None:
        self._waiting = None
        self.open_connections.slow += 1
        self.transport.abort()


def guarded_by(connections: OpenConnections) -> type[asyncio.Protocol]:
    """The protocol of one gateway, which counts its connections there."""
    return type("GatewayProtocol", (GuardedProtocol,), {"open_connections": connections})
