"""What the gateway counts, for Prometheus: requests, GraphQL fields, sign-ins, refusals, limits.

A registry of its own. What there is stands in `phems.domain.metrics`: no label is the text of a person, a run
or a patient, or of whoever asks.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phems.adapters.node_log import REQUESTS
from phems.adapters.prometheus import family_of
from phems.domain.metrics import METRICS, PREFIX, Reading
from phems.gateway.http_protocol import OpenConnections
from phems.gateway.open_requests import OpenRequests
from phems.gateway.rate_limits import RateLimiter
from phems.gateway.readiness import Readiness

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIGN_IN = re.compile(r"/(login|oidc|sign-in|api/sign-in)(/|$)")
OIDC = re.compile(r"/login/oidc(/|$)")
"""Signing in at the identity provider: a GET there, a GET back."""
SESSION_COOKIE = b"phems_session="

# Routes that have no template of their own: what they begin with, and what they are called.
ROUTES = (
    (re.compile(r"/graphql/?$"), "/graphql"),
    (
        re.compile(
            r"/(healthz|readyz|metrics|login(/code|/oidc(/back)?)?|logout|account|events|server_info|dagit_info)$"
        ),
        None,
    ),
    (re.compile(r"/logs/"), "/logs/{path}"),
    (re.compile(r"/download_debug/"), "/download_debug/{run_id}"),
    (re.compile(r"/notebook"), "/notebook"),
    (re.compile(r"/report_asset_"), "/report_asset_*"),
    (re.compile(r"/(static|_next|vendor)/"), "static"),
    (re.compile(r"/webhooks/"), "/webhooks/code/{project}"),
    (re.compile(r"/mlflow/"), "/mlflow/{project}"),
    (re.compile(r"/api(/|$)"), "/api"),
)
PAGE = "page"
_REQUESTS = logging.getLogger(REQUESTS)
M = TypeVar("M")

REFUSALS = {
    400: "malformed",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method",
    412: "stale",
    413: "too_large",
    415: "media_type",
    421: "host",
    422: "malformed",
    428: "stale",
    429: "too_many",
    431: "headers",
    503: "unavailable",
}


class Watch(Protocol):
    """A serving node, as its probes see it; `phems.bootstrap.node_watch.NodeWatch` fits it. Blocks."""

    def checks(self) -> Mapping[str, Callable[[], None]]:
        """Each part of the node, with what raises when it is not well."""
        ...

    def read(self) -> Iterable[Reading]:
        """The node's numbers of now."""
        ...


class GatewayMetrics:
    """The numbers of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        into = self.registry
        self._requests = _registered(Counter, "http_requests", into)
        self._seconds = _registered(partial(Histogram, buckets=SECONDS), "http_request_seconds", into)
        self._open = _registered(Gauge, "http_requests_open", into)
        self._websockets = _registered(Gauge, "websockets_open", into)
        self._refusals = _registered(Counter, "refusals", into)
        self._sign_ins = _registered(Counter, "sign_ins", into)
        self._fields = _registered(Counter, "graphql_fields", into)
        for result in ("done", "refused"):
            self._sign_ins.labels(result)

    def graphql_field(self, operation: str, field: str, result: str) -> None:
        """A root field of the schema was resolved; `result` is done, refused or failed."""
        self._fields.labels(operation, field, result).inc()

    def add(self, collector: Collector) -> None:
        """Numbers that are read when somebody asks."""
        self.registry.register(collector)

    def text(self) -> bytes:
        """All numbers as Prometheus reads them. Blocks."""
        return generate_latest(self.registry)

    def begin(self, scope: Scope) -> float:
        """A request, or WebSocket, comes in."""
        (self._websockets if scope["type"] == "websocket" else self._open).inc()
        return time.perf_counter()

    def end(self, scope: Scope, began: float, status: int, *, session: bool) -> None:
        """Its answer is given."""
        if scope["type"] == "websocket":
            self._websockets.dec()
            return
        self._open.dec()
        method, route = scope["method"], route_of(scope)
        self._requests.labels(method if method in METHODS else OTHER, route, str(status)).inc()
        took = time.perf_counter() - began
        self._seconds.labels(route).observe(took)
        _REQUESTS.info(
            "answered",
            extra={
                "method": method if method in METHODS else OTHER,
                "route": route,
                "status": status,
                "milliseconds": round(took * 1000),
            },
        )
        if status in REFUSALS:
            self._refusals.labels(REFUSALS[status]).inc()
        if session:
            self._sign_ins.labels("done").inc()
        elif 400 <= status < 500 and _tries_to_sign_in(method, scope["path"]):  # noqa: PLR2004
            self._sign_ins.labels("refused").inc()


def _tries_to_sign_in(method: str, path: str) -> bool:
    return (SIGN_IN if method == "POST" else OIDC).match(path) is not None


class Measured:
    """ASGI middleware: counts and times what passes."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        began = self._metrics.begin(scope)
        # What never answers was left by who asked, or failed: the server answers that with 500.
        status, session = 500, False

        async def watched(message: Message) -> None:
            nonlocal status, session
            if message["type"] == "http.response.start":
                status = message["status"]
                session = _opens_session(message)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.end(scope, began, status, session=session)


def route_of(scope: Scope) -> str:
    """The template of the route that answered, never the path: that may hold a name."""
    path = scope["path"]
    template = getattr(scope.get("route"), "path_format", None)
    if path.startswith("/api/") and isinstance(template, str):
        return f"/api{template}" if not template.startswith("/api") else template
    for pattern, name in ROUTES:
        if pattern.match(path):
            return name or str(path)
    return PAGE


def _opens_session(message: Message) -> bool:
    return any(
        name.lower() == b"set-cookie"
        and value.startswith(SESSION_COOKIE)
        and b"max-age=0" not in value.lower()
        for name, value in message.get("headers", ())
    )


class LimitsCollector(Collector):
    """What the limits hold and have turned away."""

    def __init__(
        self, limiter: RateLimiter, opened: OpenRequests, connections: OpenConnections | None
    ) -> None:
        self._limiter = limiter
        self._opened = opened
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        limited = [
            ({"limit": key}, count)
            for counts in (self._limiter.refused, self._opened.refused)
            for key, count in counts.items()
        ]
        yield family_of(Reading("rate_limited", limited))
        windows, times = self._limiter.size
        yield family_of(Reading("rate_limit_windows", [({}, windows)]))
        yield family_of(Reading("rate_limit_times", [({}, times)]))
        if self._connections is not None:
            yield family_of(Reading("connections_open", [({}, self._connections.total)]))
            closed = {"too_many": self._connections.refused, "slow_headers": self._connections.slow}
            whys = [({"why": why}, count) for why, count in closed.items()]
            yield family_of(Reading("connections_closed", whys))


class NodeCollector(Collector):
    """What the node tells of itself, and how its parts are."""

    def __init__(self, watch: Watch | None, readiness: Readiness) -> None:
        self._watch = watch
        self._readiness = readiness

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        ready = [({"part": part.name}, float(part.is_ready)) for part in self._readiness.parts()]
        yield family_of(Reading("ready", ready))
        for reading in self._watch.read() if self._watch is not None else ():
            yield family_of(reading)


def _registered(kind: Callable[..., M], name: str, into: CollectorRegistry) -> M:
    """A number that is counted here, by its row in the table."""
    row = METRICS[name]
    return kind(PREFIX + row.name, row.about, row.labels, registry=into)
