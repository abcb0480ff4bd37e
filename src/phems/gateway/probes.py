"""How the node is, for what watches it: `/readyz` and `/metrics`. `/healthz` is the door's.

`/readyz` tells everybody ready or not; why is for operators. `/metrics` is for operators and auditors, for
who has the token that node.yaml names, and, when it names none, for programs on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phems.adapters.prometheus import shows
from phems.domain.permissions import Verb
from phems.errors import RefusedError
from phems.gateway.callers import current_caller
from phems.gateway.client_address import client_of, is_loopback
from phems.gateway.http_protocol import OpenConnections
from phems.gateway.metrics import GatewayMetrics, Watch
from phems.gateway.origins import host_is_known
from phems.gateway.readiness import Readiness
from phems.gateway.replies import error_reply, sign_in_first
from phems.gateway.settings import GatewaySettings

READY_PATH = "/readyz"
METRICS_PATH = "/metrics"
PROBE_PATHS = frozenset({READY_PATH, METRICS_PATH})
SEES_WHY: Verb = "node.operate"
SEES_METRICS: tuple[Verb, ...] = ("node.operate", "audit.read")
NOT_READY = 503


@dataclass(frozen=True, slots=True)
class Probing:
    """What the probes of one gateway tell of: its numbers, the node behind it, its connections."""

    metrics: GatewayMetrics
    watch: Watch | None = None
    connections: OpenConnections | None = None


class Probes:
    """The two, as routes."""

    def __init__(self, readiness: Readiness, metrics: GatewayMetrics, settings: GatewaySettings) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._settings = settings

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route(READY_PATH, self.ready, methods=["GET"]),
            Route(METRICS_PATH, self.metrics, methods=["GET"]),
        ]

    async def ready(self, _request: Request) -> Response:
        """Whether every part can do its work: 200 or 503."""
        parts = await run_in_threadpool(self._readiness.parts)
        ready = all(part.is_ready for part in parts)
        told: dict[str, object] = {"status": _word(ready=ready)}
        caller = current_caller.get()
        if caller is not None and self._settings.membership.may_somewhere(caller.name, SEES_WHY):
            told["parts"] = {
                part.name: {"status": _word(ready=part.is_ready), **({"why": part.why} if part.why else {})}
                for part in parts
            }
        return JSONResponse(told, status_code=200 if ready else NOT_READY)

    async def metrics(self, request: Request) -> Response:
        """The node in numbers."""
        caller = current_caller.get()
        if caller is not None and self._settings.membership.may_somewhere(caller.name, *SEES_METRICS):
            return await self._numbers()
        if self._has_token(request) or self._is_local(request):
            return await self._numbers()
        if caller is None:
            why = "The metrics are for operators, auditors, and who has the token of gateway.metrics."
            return sign_in_first(request, why)
        error = RefusedError(
            f"{caller.name} may not read the metrics.", why="They are for operators and auditors."
        )
        return error_reply(request, error)

    async def _numbers(self) -> Response:
        text = await run_in_threadpool(self._metrics.text)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _has_token(self, request: HTTPConnection) -> bool:
        wanted = self._settings.metrics_token
        return shows(wanted, request.headers.get("authorization", "")) if wanted else False

    def _is_local(self, request: HTTPConnection) -> bool:
        # Not by way of a proxy, known or not; nor by a page that had its own name lead here.
        return (
            self._settings.metrics_token is None
            and bool(request.scope.get("phems.direct"))
            and is_loopback(client_of(request))
            and host_is_known(request.headers.get("host", ""), ())
        )


def _word(*, ready: bool) -> str:
    return "ok" if ready else "failed"
