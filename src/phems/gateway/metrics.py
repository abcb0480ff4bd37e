"""What the gateway counts, for Prometheus: requests, GraphQL fields, sign-ins, refusals, limits.

A registry of its own. Every label is from a list that this program holds (routes, fields, kinds, states), or
the name of a project in node.yaml: none is the text of a person, a run or a patient, or of whoever asks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phems.domain.gauges import Gauge as NodeGauge
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
    (re.compile(r"/api(/|$)"), "/api"),
)
PAGE = "page"

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

    def read(self) -> Iterable[NodeGauge]:
        """The node's numbers of now."""
        ...


class GatewayMetrics:
    """The numbers of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        into = self.registry
        self._requests = Counter(
            "phems_http_requests",
            "Requests, by route and status.",
            ("method", "route", "status"),
            registry=into,
        )
        self._seconds = Histogram(
            "phems_http_request_seconds",
            "From the request to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=into,
        )
        self._open = Gauge("phems_http_requests_open", "Requests that wait for their answer.", registry=into)
        self._websockets = Gauge("phems_websockets_open", "WebSockets that are open.", registry=into)
        self._refusals = Counter(
            "phems_refusals", "Requests that were refused, by kind.", ("kind",), registry=into
        )
        self._sign_ins = Counter("phems_sign_ins", "Tries to sign in.", ("result",), registry=into)
        self._fields = Counter(
            "phems_graphql_fields",
            "Root fields of GraphQL that were asked for, by their name in the schema.",
            ("operation", "field", "result"),
            registry=into,
        )
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
        self._seconds.labels(route).observe(time.perf_counter() - began)
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
        limited = CounterMetricFamily(
            "phems_rate_limited", "Requests over a rate limit, by its key in node.yaml.", labels=["limit"]
        )
        for counts in (self._limiter.refused, self._opened.refused):
            for key, count in counts.items():
                limited.add_metric([key], count)
        yield limited
        windows, times = self._limiter.size
        yield GaugeMetricFamily("phems_rate_limit_windows", "Windows of the rate limits in memory.", windows)
        yield GaugeMetricFamily("phems_rate_limit_times", "Times in those windows.", times)
        if self._connections is not None:
            yield GaugeMetricFamily(
                "phems_connections_open", "Connections that are open.", self._connections.total
            )
            closed = CounterMetricFamily(
                "phems_connections_closed", "Connections that the gateway closed, by why.", labels=["why"]
            )
            closed.add_metric(["too_many"], self._connections.refused)
            closed.add_metric(["slow_headers"], self._connections.slow)
            yield closed


class NodeCollector(Collector):
    """What the node tells of itself, and how its parts are."""

    def __init__(self, watch: Watch | None, readiness: Readiness) -> None:
        self._watch = watch
        self._readiness = readiness

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        ready = GaugeMetricFamily("phems_ready", "Whether a part can do its work: 1 or 0.", labels=["part"])
        for part in self._readiness.parts():
            ready.add_metric([part.name], float(part.is_ready))
        yield ready
        for gauge in self._watch.read() if self._watch is not None else ():
            family = CounterMetricFamily if gauge.kind == "counter" else GaugeMetricFamily
            metric = family(f"phems_{gauge.name}", gauge.about, labels=gauge.labels)
            for labels, value in gauge.values:
                metric.add_metric([labels[name] for name in gauge.labels], value)
            yield metric
