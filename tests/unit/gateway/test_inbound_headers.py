"""What headers of proxies come to: taken from trusted ones, and stripped from everybody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from phems.gateway.client_address import client_of
from phems.gateway.inbound_headers import InboundHeaders, is_stripped

PROXY, STRANGER, SELF = "10.0.0.1", "192.0.2.66", "127.0.0.1"
SAID = [
    (b"x-forwarded-for", b"192.0.2.4"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"node.example"),
]


class Seen:
    """What gets through, and what is answered."""

    def __init__(self, **settings: Any) -> None:
        self.scope: Scope | None = None
        self.answer: Message | None = None
        self._app = InboundHeaders(self._inner, trusted=["10.0.0.0/29"], **settings)

    async def _inner(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        self.scope = scope

    async def _send(self, message: Message) -> None:
        self.answer = self.answer or message

    async def _receive(self) -> Message:
        return {"type": "http.request"}

    def ask(
        self, client: str, headers: list[tuple[bytes, bytes]], *, path: str = "/", kind: str = "http"
    ) -> Seen:
        scope = {
            "type": kind,
            "scheme": "http" if kind == "http" else "ws",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "client": (client, 1),
            "headers": [(b"host", b"inner:3000"), (b"accept", b"text/html"), *headers],
        }
        asyncio.run(self._app(scope, self._receive, self._send))
        return self

    @property
    def headers(self) -> dict[bytes, bytes]:
        assert self.scope is not None
        return dict(self.scope["headers"])


def test_a_trusted_proxy_says_who_asks_how_and_for_what() -> None:
    seen = Seen(https=True).ask(PROXY, SAID)
    assert seen.scope is not None
    assert client_of(seen.scope) == "192.0.2.4"
    assert seen.scope["scheme"] == "https"
    assert seen.headers == {b"host": b"node.example", b"accept": b"text/html"}


def test_nobody_else_is_believed() -> None:
    """Else everybody has as many addresses as they like, and plain HTTP passes for https."""
    seen = Seen().ask(STRANGER, SAID)
    assert seen.scope is not None
    assert client_of(seen.scope) == STRANGER
    assert seen.scope["scheme"] == "http"
    assert seen.headers == {b"host": b"inner:3000", b"accept": b"text/html"}
    assert seen.scope["phems.direct"] is False


@pytest.mark.parametrize(
    "name",
    [
        "Forwarded",
        "X-Real-IP",
        "Remote-User",
        "REMOTE_USER",
        "X_Forwarded_User",
        "X-Forwarded-Email",
        "X-Forwarded-Access-Token",
        "X-Auth-Request-User",
        "X-Authenticated-User",
        "X-WebAuth-User",
        "X-Remote-User",
        "X-Goog-Authenticated-User-Email",
        "X-MS-CLIENT-PRINCIPAL-NAME",
        "X-Amzn-Oidc-Data",
        "X-SSL-Client-S-DN",
        "X-Original-URL",
        "X-HTTP-Method-Override",
        "Impersonate-User",
    ],
)
@pytest.mark.parametrize("client", [PROXY, STRANGER, SELF])
def test_identity_headers_reach_nobody_whoever_sends_them(name: str, client: str) -> None:
    """Attack case 7: no later part of the node, nor of Dagster, can be misled by one."""
    seen = Seen().ask(client, [(name.lower().encode(), b"olga")])
    assert name.lower().encode() not in seen.headers


@pytest.mark.parametrize(
    "name",
    ["authorization", "cookie", "host", "origin", "content-type", "idempotency-key", "if-match"],
)
def test_what_the_node_reads_itself_is_kept(name: str) -> None:
    assert not is_stripped(name.encode())


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_proxy_that_says_nothing_serves_what_people_use(kind: str) -> None:
    seen = Seen(https=True).ask(PROXY, [], kind=kind)
    assert seen.scope is not None
    assert seen.scope["scheme"] in {"https", "wss"}


def test_where_people_use_https_nothing_comes_in_the_clear_from_elsewhere() -> None:
    """A token sent in the clear can be read on the way."""
    refused = Seen(https=True).ask(STRANGER, [])
    assert refused.scope is None
    assert refused.answer is not None
    assert refused.answer["status"] == 403
    assert Seen(https=True).ask(SELF, []).scope is not None
    assert Seen(https=True).ask(STRANGER, [], path="/healthz").scope is not None


def test_who_comes_to_the_proxy_in_the_clear_is_led_to_https() -> None:
    led = Seen(https=True, public_url="https://node.example").ask(
        PROXY, [(b"x-forwarded-proto", b"http")], path="/runs"
    )
    assert led.scope is None
    assert led.answer is not None
    assert led.answer["status"] == 308
    assert (b"location", b"https://node.example/runs") in led.answer["headers"]


@pytest.mark.parametrize("host", [b"a.example, b.example", b"a b", b"a/../b", b""])
def test_a_host_that_is_not_one_name_changes_nothing(host: bytes) -> None:
    assert Seen().ask(PROXY, [(b"x-forwarded-host", host)]).headers[b"host"] == b"inner:3000"


def test_a_thousand_headers_are_refused() -> None:
    refused = Seen().ask(STRANGER, [(b"x-%d" % number, b"1") for number in range(1000)])
    assert refused.scope is None
    assert refused.answer is not None
    assert refused.answer["status"] == 431
