"""The gateway's web server: uvicorn in a thread of this process, on a socket that is bound first.

server = GatewayServer(app, "127.0.0.1", 3000)
server.start()      # returns when connections are accepted
server.stop()       # returns when the last one is closed, or after a few seconds
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Mapping

import uvicorn
from starlette.types import ASGIApp

from phems.adapters.tls_files import TlsFiles
from phems.errors import UnavailableError
from phems.gateway.http_protocol import HEADER_BYTES, OpenConnections, guarded_by

START_SECONDS = 20.0
STOP_SECONDS = 3
MAX_WEBSOCKET_BYTES = 1024 * 1024
KEEP_ALIVE_SECONDS = 15
TICKS_PER_LOOK = 20
"""How many of uvicorn's ticks (0.1 s) pass until the TLS files are looked at again."""

_BIND_REMEDIES: Mapping[int | None, tuple[str, str]] = {
    errno.EADDRINUSE: ("Another program, maybe this node itself, listens there.", "Choose another"),
    errno.EACCES: ("Ports below 1024 are for the superuser.", "Choose one above 1024"),
    errno.EADDRNOTAVAIL: ("This machine has no such address.", "Choose an address of this machine"),
}


class GatewayServer:
    """One listening gateway. `start` and `stop` once each."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        *,
        tls: TlsFiles | None = None,
        connections: OpenConnections | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._socket: socket.socket | None = None
        self._server = _ThreadedServer(
            uvicorn.Config(
                app,
                http=guarded_by(connections or OpenConnections()),
                h11_max_incomplete_event_size=HEADER_BYTES,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                ssl_context_factory=(lambda _config, _default: tls.context) if tls is not None else None,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                ws_max_size=MAX_WEBSOCKET_BYTES,
                timeout_graceful_shutdown=STOP_SECONDS,
            ),
            tls,
        )
        self._thread = threading.Thread(target=self._serve, name="phems-gateway", daemon=True)
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """The address to give to people; known once it is bound."""
        host, port = self._host, self._port
        if self._socket is not None:
            port = self._socket.getsockname()[1]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}"

    def bind(self) -> None:
        """Take the port, before anything slow is started; UnavailableError when it is taken already."""
        if self._socket is None:
            self._socket = _listen(self._host, self._port)

    def start(self) -> None:
        """Serve; returns when connections are accepted."""
        self.bind()
        self._thread.start()
        if not self._server.ready.wait(START_SECONDS) or not self._server.started:
            self.stop()
            raise UnavailableError(
                "The gateway did not start.",
                why=repr(self._failure or "it took too long"),
                remedy="phems serve",
            )

    def stop(self) -> None:
        """Stop serving and free the port; does nothing when it is not running."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS + 5)
        if self._socket is not None:
            self._socket.close()

    def _serve(self) -> None:
        assert self._socket is not None  # noqa: S101 (start binds it)
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as error:  # noqa: BLE001 (kept, and told by start)
            self._failure = error
        finally:
            self._server.ready.set()


class _ThreadedServer(uvicorn.Server):
    """Uvicorn that says when it accepts connections, and looks after its TLS files."""

    def __init__(self, config: uvicorn.Config, tls: TlsFiles | None) -> None:
        super().__init__(config)
        self._tls = tls
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets=sockets)
        self.ready.set()

    async def on_tick(self, counter: int) -> bool:
        """See uvicorn; now and then the TLS files are looked at again."""
        if self._tls is not None and counter % TICKS_PER_LOOK == 0:
            self._tls.look_again()
        return await super().on_tick(counter)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        why, remedy = _BIND_REMEDIES.get(error.errno, (error.strerror or str(error), "Choose another"))
        raise UnavailableError(
            f"The gateway cannot listen on port {port} of {host}.",
            why=why,
            remedy=f"{remedy}: gateway.port and gateway.host in node.yaml.",
        ) from error
    return listener
