"""A reverse proxy in front of the gateway: a real second hop over TCP, which says who connected to it.

As nginx and Caddy do, it adds the address that it was asked by to X-Forwarded-For and sets X-Forwarded-Proto
and -Host; what else its caller sends it passes on, forged headers included. From its own address (127.0.0.2)
it connects to the gateway, so that the gateway can tell it from others on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import h11

ADDRESS = "127.0.0.2"
_BYTES = 65536


class SecondHop:
    """Listens on a port of this machine; one request a connection."""

    def __init__(self, gateway_port: int, *, scheme: str = "https", host: str = "node.example") -> None:
        self.port = 0
        self._gateway_port = gateway_port
        self._added = [(b"X-Forwarded-Proto", scheme.encode()), (b"X-Forwarded-Host", host.encode())]

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Serve until told to stop."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, h11.ProtocolError):
            await self._pass_on(reader, writer)
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = h11.Connection(h11.SERVER)
        request, body = await _whole(asked, reader)
        assert isinstance(request, h11.Request)
        peer = writer.get_extra_info("peername")[0].encode()
        own = {b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-for", b"connection"}
        said = [value for name, value in request.headers if name == b"x-forwarded-for"]
        headers = [
            *((name, value) for name, value in request.headers if name not in own),
            (b"X-Forwarded-For", b", ".join([*said, peer])),
            *self._added,
            (b"Connection", b"close"),
        ]
        up, down = await asyncio.open_connection("127.0.0.1", self._gateway_port, local_addr=(ADDRESS, 0))
        asks = h11.Connection(h11.CLIENT)
        down.write(asks.send(h11.Request(method=request.method, target=request.target, headers=headers)))
        if body:
            down.write(asks.send(h11.Data(body)))
        down.write(asks.send(h11.EndOfMessage()))
        answer, content = await _whole(asks, up)
        assert isinstance(answer, h11.Response)
        down.close()
        writer.write(asked.send(h11.Response(status_code=answer.status_code, headers=answer.headers)) or b"")
        if content:
            writer.write(asked.send(h11.Data(content)) or b"")
        writer.write(asked.send(h11.EndOfMessage()) or b"")
        await writer.drain()


async def _whole(
    connection: h11.Connection, reader: asyncio.StreamReader
) -> tuple[h11.Request | h11.Response, bytes]:
    head: h11.Request | h11.Response | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_BYTES))
        elif isinstance(event, h11.Request | h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            return head, body
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionResetError


@contextmanager
def second_hop(
    gateway_port: int, *, scheme: str = "https", host: str = "node.example"
) -> Iterator[SecondHop]:
    """A proxy for the time of the block."""
    hop = SecondHop(gateway_port, scheme=scheme, host=host)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(hop.serve(ready, stop)), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield hop
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
