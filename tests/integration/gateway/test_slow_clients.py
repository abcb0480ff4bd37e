"""Who keeps a connection without using it, and who opens too many: they are closed, the others are served."""

from __future__ import annotations

import contextlib
import socket

from door_site import start_site
from plain_http import send
from small_node import until

from phems.gateway.http_protocol import HEADER_BYTES, OpenConnections
from phems.nodespec.gateway import Connections


def is_closed(peer: socket.socket) -> bool:
    """Wait until the other side closes the connection; TimeoutError when it does not."""
    peer.settimeout(60)
    with contextlib.suppress(ConnectionError):
        while peer.recv(65536):
            continue
    return True


def test_headers_that_trickle_in_end_the_connection() -> None:
    """Slowloris: a thousand connections that never ask would keep everybody else out."""
    opened = OpenConnections(header_seconds=0.3)
    site = start_site(connections=opened)
    try:
        with socket.create_connection(("127.0.0.1", site.port)) as silent:
            assert is_closed(silent)
        with socket.create_connection(("127.0.0.1", site.port)) as slow:
            slow.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A")
            assert is_closed(slow)
        assert opened.slow == 2
        with socket.create_connection(("127.0.0.1", site.port)) as kept:
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert kept.recv(65536).startswith(b"HTTP/1.1 200")
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHo")
            assert is_closed(kept)
        assert send(site.port, "GET", "/healthz").status == 200
    finally:
        site.server.stop()


def test_headers_without_end_are_refused() -> None:
    site = start_site()
    try:
        with socket.create_connection(("127.0.0.1", site.port)) as endless:
            endless.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * (HEADER_BYTES + 100_000))
            answer = endless.recv(65536)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    finally:
        site.server.stop()


def test_one_address_has_so_many_connections_and_gets_its_places_back() -> None:
    opened = OpenConnections(Connections(per_address=4))
    site = start_site(connections=opened)
    try:
        held = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(4)]
        for each in held:
            each.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert each.recv(65536).startswith(b"HTTP/1.1 200")
        with socket.create_connection(("127.0.0.1", site.port)) as fifth:
            assert is_closed(fifth)
        assert opened.refused == 1
        for each in held:
            each.close()
        until(lambda: not opened.total)
        assert send(site.port, "GET", "/healthz").status == 200
    finally:
        site.server.stop()
