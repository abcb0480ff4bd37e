"""The door in front of a tiny application that says who asks, with accounts in memory."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from phems.adapters.tls_files import TlsFiles
from phems.domain.actors import Actor
from phems.domain.authority import Authority
from phems.domain.permissions import Role
from phems.engine.admission_point import requester
from phems.errors import RefusedError
from phems.gateway.app import assemble
from phems.gateway.client_address import client_of
from phems.gateway.http_protocol import OpenConnections
from phems.gateway.metrics import GatewayMetrics
from phems.gateway.probes import Probing
from phems.gateway.server import GatewayServer
from phems.gateway.settings import GatewaySettings, Membership
from phems.services.oidc_sign_ins import SignInWays
from phems.services.password_sign_ins import PasswordSignIn
from phems.services.users import Client


@dataclass
class Accounts:
    """Accounts in memory, as the gateway's port asks for them."""

    passwords: dict[str, str]
    tokens: dict[str, str]
    sessions: dict[str, str] = field(default_factory=dict)

    def authenticate_password(self, name: str, password: str, address: str, code: str) -> Actor:
        if self.passwords.get(name) != password:
            raise RefusedError("Signing in failed.", why="the name or the password is wrong.")
        return Actor(name)

    def begin_password(self, name: str, password: str, address: str, next_path: str) -> PasswordSignIn:
        return PasswordSignIn(self.authenticate_password(name, password, address, ""), "password", next_path)

    def authenticate_token(self, token: str) -> Authority:
        if token not in self.tokens:
            raise RefusedError("Signing in failed.", why="the token is unknown, expired or revoked.")
        return Authority(Actor(self.tokens[token]))

    def ways(self) -> SignInWays:
        return SignInWays(local=True, provider=None)

    def open_session(self, actor: Actor, client: Client, **how: Any) -> Session:
        session = Session(secrets.token_urlsafe(8))
        self.sessions[session.secret] = actor.name
        return session

    def session_user(self, session: str) -> Authority | None:
        name = self.sessions.get(session)
        return Authority(Actor(name), kind="session") if name else None

    def close_session(self, session: str) -> None:
        self.sessions.pop(session, None)

    def list_sessions(self, name: str) -> list[Any]:
        return []

    def list_tokens(self, name: str) -> list[Any]:
        return []


@dataclass
class Session:
    secret: str


@dataclass
class Site:
    """A door that listens."""

    server: GatewayServer
    accounts: Accounts

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    @property
    def origin(self) -> str:
        return self.server.url


def start_site(
    *,
    tls: bool = False,
    files: TlsFiles | None = None,
    connections: OpenConnections | None = None,
    watch: Any = None,
    **settings_of_it: Any,
) -> Site:
    """A door that listens; stop its `server` at the end."""
    tokens = {f"phems_{name}": name for name in ("ana", "nobody", "olga")}
    accounts = Accounts({"ana": "pass", "nobody": "pass"}, tokens)
    settings = GatewaySettings(
        membership=Membership(
            node={Role.OPERATOR: ["olga"]}, projects={"heart-attack": {Role.DATA_ANALYST: ["ana"]}}
        ),
        host_names=frozenset({"node.example"}),
        tls=tls or files is not None,
        max_body_bytes=1000,
        session_seconds=0.0,
        **settings_of_it,
    )
    inner = Starlette(
        routes=[
            WebSocketRoute("/echo", _echo),
            WebSocketRoute("/ticks", _tick),
            Route("/came", _came),
            Route("/{path:path}", _who, methods=["GET", "POST"]),
        ]
    )
    probing = Probing(GatewayMetrics(), watch, connections)
    app = assemble(inner, accounts, settings=settings, probing=probing)
    server = GatewayServer(app, "127.0.0.1", 0, tls=files, connections=connections)
    server.start()
    return Site(server, accounts)


async def _who(request: Request) -> JSONResponse:
    body = await request.body()
    return JSONResponse({"who": requester.get(), "path": request.url.path, "length": len(body)})


async def _came(request: Request) -> JSONResponse:
    return JSONResponse(
        {
            "who": requester.get(),
            "client": client_of(request),
            "scheme": request.url.scheme,
            "headers": sorted(request.headers.keys()),
        }
    )


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(requester.get() or "")
    await websocket.close()


async def _tick(websocket: WebSocket) -> None:
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text("tick")
            await websocket.receive_text()
