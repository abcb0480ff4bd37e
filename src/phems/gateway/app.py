"""The gateway as one ASGI application: the door, our own pages, and Dagster's UI behind them.

Everyone sees their own projects in Dagster's UI; who operates or audits the node sees all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from phems.engine.traces import Traces
from phems.engine.workspace import NodeWorkspace
from phems.errors import InputError, NotFoundError, PhemsError
from phems.gateway.account import AccountPage
from phems.gateway.accounts import Accounts
from phems.gateway.api.lazy import LazyApi
from phems.gateway.api_sign_in import ApiSignIn
from phems.gateway.code_webhooks import WebhookDoor
from phems.gateway.door import Door, Identities
from phems.gateway.events import events_route
from phems.gateway.http_protocol import OpenConnections
from phems.gateway.inbound_headers import InboundHeaders
from phems.gateway.live_changes import LiveChanges
from phems.gateway.metrics import GatewayMetrics, LimitsCollector, Measured, NodeCollector, Watch
from phems.gateway.mlflow_pages import MlflowDoor, MlflowPages
from phems.gateway.oidc_sign_in import OidcSignIn
from phems.gateway.open_requests import OpenRequests
from phems.gateway.pages import STATIC, static_file
from phems.gateway.probes import Probes, Probing
from phems.gateway.problems import API_PATH
from phems.gateway.rate_limits import RateLimiter
from phems.gateway.readiness import Readiness
from phems.gateway.replies import error_reply
from phems.gateway.request_ids import RequestIds
from phems.gateway.request_limits import BodyLimit, SecurityHeaders
from phems.gateway.root_fields import READ, check
from phems.gateway.second_factor import SecondFactorPage
from phems.gateway.settings import GatewaySettings
from phems.gateway.sign_in import SignIn
from phems.gateway.site.routes import site_routes
from phems.gateway.traced import Traced

if TYPE_CHECKING:
    from phems.gateway.api.use_cases import UseCases


def create_app(
    workspace: NodeWorkspace,
    accounts: Accounts,
    *,
    settings: GatewaySettings,
    cases: UseCases | None = None,
    live: LiveChanges | None = None,
    watch: Watch | None = None,
    connections: OpenConnections | None = None,
    traces: Traces | None = None,
    mlflow: MlflowDoor | None = None,
) -> ASGIApp:
    """The gateway over a node's workspace. Slow the first time: it imports Dagster's web server."""
    from phems.gateway.dagster_ui import NodeWebserver

    records = cases.engine_acts if cases is not None else None
    metrics = GatewayMetrics()
    inner = NodeWebserver(workspace, settings, records, metrics).create_asgi_app()
    probing = Probing(metrics, watch, connections)
    return assemble(
        inner,
        accounts,
        settings=settings,
        cases=cases,
        live=live,
        probing=probing,
        traces=traces,
        mlflow=mlflow,
    )


def assemble(
    inner: ASGIApp,
    accounts: Accounts,
    *,
    settings: GatewaySettings,
    cases: UseCases | None = None,
    live: LiveChanges | None = None,
    probing: Probing | None = None,
    traces: Traces | None = None,
    mlflow: MlflowDoor | None = None,
) -> ASGIApp:
    """The door, our own pages and, given use cases, the API, around an application that shows projects.

    `live` is told by the caller of what changed; without one, pages are never told.
    """
    coordinators = cases.coordinators if cases is not None else None
    identities = Identities(accounts, settings.session_seconds, coordinators)
    probing = probing or Probing(GatewayMetrics())
    readiness = Readiness(probing.watch.checks() if probing.watch is not None else {})
    sign_in = SignIn(accounts, identities, settings)
    pages = Starlette(
        routes=[
            *(Route(path, _static, methods=["GET"]) for path in STATIC),
            events_route(live or LiveChanges(settings.membership)),
            *sign_in.routes(),
            *ApiSignIn(accounts, identities, sign_in).routes(),
            *OidcSignIn(accounts, sign_in, settings).routes(),
            *AccountPage(accounts, identities, settings).routes(),
            *SecondFactorPage(accounts, identities, sign_in).routes(),
            *(MlflowPages(mlflow, settings).routes() if mlflow is not None else []),
            *Probes(readiness, probing.metrics, settings).routes(),
            *(
                [
                    Mount(API_PATH, app=LazyApi(cases)),
                    *WebhookDoor(cases.code_webhooks).routes(),
                    *site_routes(cases, settings),
                ]
                if cases is not None
                else []
            ),
            Mount("/", app=ReadersOnly(inner, settings)),
        ],
        exception_handlers={PhemsError: _tell, HTTPException: _tell_http},
    )
    limiter, opened = RateLimiter(settings.rate_limits), OpenRequests(settings.connections)
    probing.metrics.add(LimitsCollector(limiter, opened, probing.connections))
    probing.metrics.add(NodeCollector(probing.watch, readiness))
    door = Door(pages, identities, settings, limiter, opened)
    limited = BodyLimit(door, max_bytes=settings.max_body_bytes)
    inbound = InboundHeaders(
        limited, trusted=settings.trusted_proxies, https=settings.tls, public_url=settings.public_url
    )
    measured: ASGIApp = Measured(inbound, probing.metrics)
    if traces is not None:
        measured = Traced(measured, traces)
    return RequestIds(SecurityHeaders(measured, tls=settings.tls))


class ReadersOnly:
    """Lets those through who may read some project: a coordinator, say, or who has no role, may not."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings) -> None:
        self._app = app
        self._membership = settings.membership

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        try:
            check(self._membership, READ, "this part of the node")
        except PhemsError as error:
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).close()
            else:
                await error_reply(HTTPConnection(scope), error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _static(request: Request) -> Response:
    return static_file(request.scope["path"])


async def _tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, PhemsError)  # noqa: S101 (for the type checker)
    return error_reply(request, error)


async def _tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (for the type checker)
    missing = error.status_code == 404  # noqa: PLR2004
    told = (NotFoundError if missing else InputError)(error.detail)
    return error_reply(request, told, status=error.status_code, headers=error.headers)
