"""The proxy that fault tests put before a service does to connections what they say it does."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest
from tests.tcp_proxy import TcpProxy


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """Before a service that says everything again."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        with TcpProxy(int(server.server_address[1])) as proxy:
            yield proxy
        server.shutdown()
        thread.join()


def connected(proxy: TcpProxy) -> socket.socket:
    """A connection through the proxy that has carried something."""
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=30)
    assert said_again(client, b"hello") == b"hello"
    return client


def said_again(client: socket.socket, words: bytes) -> bytes:
    """What comes back."""
    client.sendall(words)
    found = b""
    while len(found) < len(words) and (more := client.recv(1 << 16)):
        found += more
    return found


def test_everything_goes_through_and_ends_as_it_does_without(proxy: TcpProxy) -> None:
    """A proxy that loses bytes would be taken for a fault of the node."""
    large = bytes(range(256)) * 4096
    with connected(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=[large])
        sender.start()
        found = b""
        while len(found) < len(large):
            found += client.recv(1 << 16)
        sender.join()
        assert found == large
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b"", "the end of one side reaches the other"


def test_a_cut_ends_every_connection_and_takes_new_ones(proxy: TcpProxy) -> None:
    with connected(proxy) as first, connected(proxy) as second:
        assert proxy.cut() == 2
        for client in (first, second):
            try:
                assert client.recv(1) == b""
            except ConnectionResetError:
                continue
    with connected(proxy) as again:
        assert said_again(again, b"once more") == b"once more"


def test_a_pause_holds_everything_and_loses_nothing(proxy: TcpProxy) -> None:
    """As behind a firewall that drops packets: nobody is told that anything is wrong."""
    with connected(proxy) as client:
        proxy.pause()
        client.sendall(b"held")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(4)
        proxy.resume()
        client.settimeout(30)
        assert client.recv(4) == b"held"


def test_random_cuts_go_on_until_the_end_of_the_block(proxy: TcpProxy) -> None:
    with proxy.cutting(7, between=(0.01, 0.05)) as cuts:
        while sum(cuts) < 3:
            try:
                with connected(proxy) as client:
                    while said_again(client, b"still there"):
                        pass
            except (AssertionError, OSError):
                continue
    before = len(cuts)
    with connected(proxy) as client:
        assert said_again(client, b"calm") == b"calm"
    assert len(cuts) == before


def test_a_service_that_is_away_is_told_by_the_end_of_the_connection() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with (
            TcpProxy(int(nobody.getsockname()[1])) as proxy,
            socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as client,
        ):
            assert client.recv(1) == b""
