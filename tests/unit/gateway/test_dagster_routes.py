"""Every route of Dagster's web server is decided on."""

from __future__ import annotations

from dagster_webserver.webserver import DagsterWebserver
from starlette.applications import Starlette
from starlette.testclient import TestClient

from phems.gateway.dagster_routes import ROUTES, Closed, decided, is_static, name_of


def dagsters_routes() -> list[object]:
    server = DagsterWebserver.__new__(DagsterWebserver)
    server._app_path_prefix = ""
    return list(DagsterWebserver.build_routes(server))


def test_a_route_that_dagster_adds_is_decided_on() -> None:
    """Attack 6: an upgrade must not open a way beside GraphQL that nobody has looked at."""
    names = [name_of(route) for route in dagsters_routes() if not is_static(route)]  # type: ignore[arg-type]
    assert sorted(names) == sorted(ROUTES)


def test_a_route_without_a_decision_is_not_served() -> None:
    async def never(request: object) -> None:
        raise AssertionError("it was served")

    app = Starlette()
    app.add_route("/new_in_dagster", never)  # type: ignore[arg-type]
    assert decided(app.routes) == []


def test_closed_routes_say_why() -> None:
    """Otherwise whoever's page or program asks them looks for the fault on their own side."""
    app = Starlette(routes=decided(dagsters_routes()))  # type: ignore[arg-type]
    client = TestClient(app, base_url="http://127.0.0.1")
    for path, decision in ROUTES.items():
        if isinstance(decision, Closed):
            asked = path.replace("{asset_key:path}", "a/b")
            for answer in (client.get(asked), client.post(asked, json={})):
                assert answer.status_code == 404
                assert answer.json()["error"]["why"] == decision.why
