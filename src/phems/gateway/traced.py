"""ASGI middleware: a span for each request, which a run that it launches is part of.

OpenTelemetry's own instrumentation of ASGI tells addresses and what is asked of them, which name people and
files. What is told here is the route's template and the status, as by /metrics.
"""

from __future__ import annotations

import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phems.adapters.node_log import request_id
from phems.domain.traces import Place, Span
from phems.engine.traces import Traces, current_request
from phems.gateway.metrics import METHODS, OTHER, route_of

UNTOLD = frozenset({"static", "/healthz", "/readyz", "/metrics"})
"""Routes that have no span: what browsers and probes ask for all the time."""
FAILED = 500


class Traced:
    """Around the application; below what gives requests their ids."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and tell. A traceparent that comes with it is not taken: it is a stranger's word."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = FAILED

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        place = Place(secrets.randbits(128) or 1, secrets.randbits(64) or 1)
        began = time.time_ns()
        before = current_request.set(place)
        try:
            await self._app(scope, receive, watched)
        finally:
            current_request.reset(before)
            self._tell(scope, place, began, status)

    def _tell(self, scope: Scope, place: Place, began: int, status: int) -> None:
        route = route_of(scope)
        if route in UNTOLD:
            return
        self._traces.ended(
            Span(
                "request",
                place,
                None,
                began,
                time.time_ns(),
                {
                    "http.request.method": scope["method"] if scope["method"] in METHODS else OTHER,
                    "http.route": route,
                    "http.response.status_code": status,
                    "phems.request.id": request_id.get() or "",
                },
                is_error=status >= FAILED,
            )
        )
