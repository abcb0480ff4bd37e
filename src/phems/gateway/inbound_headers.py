"""What comes in with a request: the headers of trusted proxies are taken, and all their kind stripped.

A header that says who somebody is, or where they come from, is worth what its sender is worth. From the
proxies that node.yaml names, three are read; then these and everything of their kind are taken away,
whoever sent them, so that nothing behind this door can be misled by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from phems.errors import InputError, RefusedError
from phems.gateway.client_address import Network, client_of, first_untrusted, is_in, is_loopback, networks
from phems.gateway.replies import error_reply, refuse, wants_page

MAX_HEADERS = 100
PROBE_PATHS = frozenset({"/healthz", "/readyz"})
"""Answered by plain HTTP too: what watches a node asks it directly, and sends no secret."""

FOR, PROTO, HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"

STRIPPED_NAMES = frozenset(
    {
        # Where a request comes from.
        b"forwarded",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-originating-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"fastly-client-ip",
        b"client-ip",
        # Where it goes: what is authorised must be what is routed.
        b"x-original-url",
        b"x-original-uri",
        b"x-original-host",
        b"x-original-method",
        b"x-rewrite-url",
        b"x-host",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        # Who sends it.
        b"remote-user",
        b"remote-name",
        b"remote-email",
        b"remote-group",
        b"remote-groups",
        b"x-user",
        b"x-user-id",
        b"x-username",
        b"x-email",
        b"x-groups",
        b"x-roles",
        b"x-iap-jwt-assertion",
        b"x-client-cert",
    }
)
STRIPPED_PREFIXES = (
    b"x-forwarded-",
    b"x-remote-",
    b"x-auth-",
    b"x-authenticated-",
    b"x-authentik-",
    b"x-webauth-",
    b"x-goog-",
    b"x-amzn-oidc-",
    b"x-ms-client-principal",
    b"x-ms-token-",
    b"x-vouch-",
    b"x-pomerium-",
    b"x-ssl-",
    b"ssl-client-",
    b"cf-access-",
    b"impersonate-",
    b"dagster-cloud-",
)

_HOST = re.compile(rb"[A-Za-z0-9.:\[\]_-]{1,260}")


def is_stripped(name: bytes) -> bool:
    """Whether a header is taken away; an underscore counts as a dash, as it does for many programs."""
    plain = name.lower().replace(b"_", b"-")
    return plain in STRIPPED_NAMES or plain.startswith(STRIPPED_PREFIXES)


class InboundHeaders:
    """ASGI middleware: client address, scheme and host by the proxies that are trusted, and by nobody else.

    After it `scope["client"]`, `scope["scheme"]` and the Host header are what counts; `client_of` reads
    the first. Where people reach the node by https, what comes in the clear from elsewhere is refused.
    """

    def __init__(
        self, app: ASGIApp, *, trusted: Sequence[str] = (), https: bool = False, public_url: str | None = None
    ) -> None:
        self._app = app
        self._trusted = networks(trusted)
        self._https = https
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with clean headers, or refuse."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        said = _split(scope)
        by_proxy = is_in(client_of(scope), self._trusted)
        scope["phems.direct"] = not said and not by_proxy
        if by_proxy:
            _believe(scope, said, self._trusted, https=self._https)
        connection = HTTPConnection(scope)
        if len(scope["headers"]) > MAX_HEADERS:
            error = InputError(
                "The request has too many headers.", why=f"The gateway reads at most {MAX_HEADERS} of them."
            )
            await refuse(error_reply(connection, error, status=431), scope, receive, send)
        elif self._https and not self._is_safe(scope, by_proxy=by_proxy):
            await refuse(self._by_https(connection, lead=by_proxy), scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_safe(self, scope: Scope, *, by_proxy: bool) -> bool:
        if scope["scheme"] in {"https", "wss"}:
            return True
        if scope["type"] == "http" and scope["path"] in PROBE_PATHS:
            return True
        return not by_proxy and is_loopback(client_of(scope))

    def _by_https(self, connection: HTTPConnection, *, lead: bool) -> Response:
        if lead and self._public_url is not None and wants_page(connection):
            query = connection.scope["query_string"].decode("latin-1")
            path = connection.scope["raw_path"].decode("latin-1") if "raw_path" in connection.scope else "/"
            return RedirectResponse(self._public_url + path + (f"?{query}" if query else ""), 308)
        error = RefusedError(
            "This node is reached by https alone.",
            why="The request came in the clear, where others can read it.",
            remedy=f"Use {self._public_url or 'its https address'}. What you sent may have been read: "
            "if it held a password or a token, have it changed.",
        )
        return error_reply(connection, error)


def _split(scope: Scope) -> dict[bytes, list[bytes]]:
    """Take the headers of proxies away; gives them by name."""
    said: dict[bytes, list[bytes]] = {}
    kept = []
    for pair in scope["headers"]:
        if is_stripped(pair[0]):
            said.setdefault(pair[0].lower(), []).append(pair[1])
        else:
            kept.append(pair)
    if said:
        scope["headers"] = kept
    return said


def _believe(
    scope: Scope, said: dict[bytes, list[bytes]], trusted: Sequence[Network], *, https: bool
) -> None:
    address = first_untrusted(client_of(scope), said.get(FOR, ()), trusted)
    scope["client"] = (address, 0)
    protocols = _items(said.get(PROTO, ()))
    # The word of the proxy that is nearest; one that says nothing serves what people use.
    secure = protocols[-1] == b"https" if protocols else https
    kind = "ws" if scope["type"] == "websocket" else "http"
    scope["scheme"] = kind + ("s" if secure else "")
    hosts = _items(said.get(HOST, ()))
    if len(hosts) == 1 and _HOST.fullmatch(hosts[0]):
        others = [pair for pair in scope["headers"] if pair[0].lower() != b"host"]
        scope["headers"] = [(b"host", hosts[0]), *others]


def _items(values: Iterable[bytes]) -> list[bytes]:
    return [item.strip().lower() for value in values for item in value.split(b",") if item.strip()]
