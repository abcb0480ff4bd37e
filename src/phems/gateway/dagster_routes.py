"""The routes of Dagster's web server, each with what becomes of it here, as one table.

A route that is not in the table is not served, and a test fails when Dagster adds one. What is served is
behind the door, and shows what the caller's scope shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from phems.errors import NotFoundError
from phems.gateway.replies import error_reply


@dataclass(frozen=True, slots=True)
class Served:
    """A route that is served; `why` says what keeps it within the caller's scope."""

    why: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A route that is open to nobody; `why` is what is said."""

    why: str


Decision = Served | Closed

_VERSIONS = Served("Versions of Dagster alone.")
_PAGE = Served("Dagster's page: it is empty, and asks GraphQL for what it shows.")
_NOTEBOOK = Closed("A notebook is project code's own HTML, which would act as the person who looks at it.")
_REPORT = Closed("What an asset's history says comes from runs alone.")

ROUTES: Mapping[str, Decision] = {
    "/server_info": _VERSIONS,
    "/dagit_info": _VERSIONS,
    "/graphql": Served("Each root field has its rule, and every storage its scope."),
    "websocket /graphql": Served("Subscriptions, by the same rules."),
    "/logs/{path:path}": Served("Captured output, of runs whose logs the caller may read."),
    "/download_debug/{run_id:str}": Served("A run's event log, when the caller may read its logs."),
    "/notebook": _NOTEBOOK,
    "/dagit/notebook": _NOTEBOOK,
    "/report_asset_materialization/{asset_key:path}": _REPORT,
    "/report_asset_check/{asset_key:path}": _REPORT,
    "/report_asset_observation/{asset_key:path}": _REPORT,
    "/{path:path}": _PAGE,
    "/": _PAGE,
}
STATIC_NAMES = ("root_static", "_static")
"""How the names of the routes end that serve the files of Dagster's own pages."""


def name_of(route: BaseRoute) -> str:
    """What the table calls a route."""
    path = str(getattr(route, "path", ""))
    return f"websocket {path}" if isinstance(route, WebSocketRoute) else path


def is_static(route: BaseRoute) -> bool:
    """Whether a route serves files of Dagster's own pages, which are the same for everyone."""
    return isinstance(route, Route | Mount) and str(route.name).endswith(STATIC_NAMES)


def decided(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """The routes that are served, and in place of the closed ones the answer that says so."""
    kept: list[BaseRoute] = []
    for route in routes:
        decision = ROUTES.get(name_of(route))
        if is_static(route) or isinstance(decision, Served):
            kept.append(route)
        elif isinstance(decision, Closed):
            kept.append(_closed(name_of(route), decision.why))
    return kept


def _closed(path: str, why: str) -> Route:
    def answer(request: Request) -> Response:
        return error_reply(request, NotFoundError("This is closed on this node.", why=why))

    return Route(path, answer, methods=["GET", "POST"])
