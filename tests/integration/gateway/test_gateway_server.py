"""The web server: a port in use is told in words, and stopping frees it."""

from __future__ import annotations

import socket

import pytest
from plain_http import send
from small_node import free_port
from starlette.applications import Starlette

from phems.errors import UnavailableError
from phems.gateway.server import GatewayServer


def test_a_port_in_use_is_told_with_the_key_to_change() -> None:
    """A node that starts without its gateway, or with a traceback, leaves its operator guessing."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = GatewayServer(Starlette(), "127.0.0.1", port)
        with pytest.raises(UnavailableError, match=str(port)) as told:
            server.start()
    assert "gateway.port" in told.value.remedy
    server.stop()


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(UnavailableError, match=r"192\.0\.2\.1") as told:
        GatewayServer(Starlette(), "192.0.2.1", free_port()).start()
    assert "gateway.host" in told.value.remedy


def test_start_returns_when_requests_are_answered_and_stop_frees_the_port() -> None:
    """A restart right after a stop must not find its own port taken."""
    port = free_port()
    for _ in range(2):
        server = GatewayServer(Starlette(), "127.0.0.1", port)
        server.start()
        assert send(port, "GET", "/").status == 404
        server.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
