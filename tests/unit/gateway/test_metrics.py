"""What the gateway counts: by route and field, never by what people wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from graphql import build_schema, graphql_sync
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Receive, Scope, Send

from phems.domain.metrics import Reading
from phems.errors import RefusedError, UnavailableError
from phems.gateway.graphql_counts import count_fields
from phems.gateway.http_protocol import OpenConnections
from phems.gateway.metrics import GatewayMetrics, LimitsCollector, Measured, NodeCollector, route_of
from phems.gateway.open_requests import OpenRequests
from phems.gateway.rate_limits import RateLimiter
from phems.gateway.readiness import Readiness


def samples(metrics: GatewayMetrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The numbers as Prometheus reads them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def number(metrics: GatewayMetrics, name: str, **labels: str) -> float:
    return samples(metrics).get((name, frozenset(labels.items())), 0.0)


def ask(metrics: GatewayMetrics, path: str, *, method: str = "GET", status: int = 200, **more: Any) -> None:
    """A request through the middleware, answered with a status."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = more.get("headers", [])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None:
        return None

    scope = {"type": "http", "method": method, "path": path}
    asyncio.run(Measured(app, metrics)(scope, receive, send))


class Route:
    path_format = "/projects/{project}/runs/{run_id}"


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/graphql", "/graphql"),
        ("/runs/3f1c-of-ana", "page"),
        ("/logs/3f1c/compute.err", "/logs/{path}"),
        ("/download_debug/3f1c", "/download_debug/{run_id}"),
        ("/_next/static/chunks/1.js", "static"),
        ("/readyz", "/readyz"),
        ("/login/oidc/back", "/login/oidc/back"),
        ("/api/nothing/ana", "/api"),
    ],
)
def test_a_path_is_counted_by_its_route(path: str, route: str) -> None:
    """A label for each run would name runs, and fill Prometheus."""
    assert route_of({"type": "http", "path": path}) == route


def test_an_operation_of_the_api_is_counted_by_its_template() -> None:
    scope = {"type": "http", "path": "/api/projects/heart/runs/3f1c", "route": Route()}
    assert route_of(scope) == "/api/projects/{project}/runs/{run_id}"


def test_requests_refusals_and_sign_ins_are_counted() -> None:
    metrics = GatewayMetrics()
    ask(metrics, "/runs/of-ana")
    ask(metrics, "/graphql", method="POST", status=429)
    ask(metrics, "/graphql", method="ANA", status=401)
    ask(metrics, "/login", method="POST", status=403)
    ask(metrics, "/login/oidc/back", status=403)
    cookie = (b"set-cookie", b"phems_session=x; HttpOnly")
    ask(metrics, "/login", method="POST", status=303, headers=[cookie])
    gone = (b"set-cookie", b'phems_session=""; Max-Age=0')
    ask(metrics, "/logout", method="POST", status=303, headers=[gone])
    assert number(metrics, "phems_http_requests_total", method="GET", route="page", status="200") == 1
    assert number(metrics, "phems_http_requests_total", method="other", route="/graphql", status="401") == 1
    assert number(metrics, "phems_refusals_total", kind="too_many") == 1
    assert number(metrics, "phems_sign_ins_total", result="done") == 1
    assert number(metrics, "phems_sign_ins_total", result="refused") == 2
    assert number(metrics, "phems_http_requests_open") == 0
    assert number(metrics, "phems_http_request_seconds_count", route="/graphql") == 2
    assert "of-ana" not in metrics.text().decode()


def test_a_request_that_fails_is_counted_as_one() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("broken")

    metrics = GatewayMetrics()
    never: Any = None
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(Measured(app, metrics)({"type": "http", "method": "GET", "path": "/"}, never, never))
    assert number(metrics, "phems_http_requests_total", method="GET", route="page", status="500") == 1
    assert number(metrics, "phems_http_requests_open") == 0


def test_graphql_is_counted_by_fields_of_the_schema_whatever_a_query_calls_them() -> None:
    """An alias, or an operation's name, is text of who asks."""

    def refuse(_root: object, _info: object) -> str:
        raise RefusedError("No.")

    schema = build_schema("type Query { runs: String, closed: String }")
    assert schema.query_type is not None
    schema.query_type.fields["runs"].resolve = lambda _root, _info: "none"
    schema.query_type.fields["closed"].resolve = refuse
    metrics = GatewayMetrics()
    count_fields(schema, metrics)
    graphql_sync(schema, "query Ana { patientSmith: runs, again: runs, closed, nothing }")
    graphql_sync(schema, "query Ana { patientSmith: runs, again: runs, closed }")
    name = "phems_graphql_fields_total"
    done = number(metrics, name, operation="query", field="runs", result="done")
    refused = number(metrics, name, operation="query", field="closed", result="refused")
    assert (done, refused) == (2, 1)
    assert "Smith" not in metrics.text().decode()


class NodeOfTests:
    """A node with a broken part, and numbers."""

    def checks(self) -> Mapping[str, Callable[[], None]]:
        return {"postgres": self._down, "daemons": lambda: None, "odd": self._odd}

    def read(self) -> Iterable[Reading]:
        yield Reading("steps_waiting", [({"project": "heart"}, 3)])
        yield Reading("storage_calls", [({"method": "runs.add", "result": "done"}, 7)])
        yield Reading("steps_running", [])

    def _odd(self) -> None:
        raise IndexError

    def _down(self) -> None:
        raise UnavailableError("Postgres does not answer.", why="Its disk is full.")


def test_a_node_s_parts_and_numbers_are_told() -> None:
    node = NodeOfTests()
    metrics = GatewayMetrics()
    readiness = Readiness(node.checks())
    metrics.add(NodeCollector(node, readiness))
    metrics.add(LimitsCollector(RateLimiter(None), OpenRequests(None), OpenConnections()))
    assert number(metrics, "phems_ready", part="postgres") == 0
    assert number(metrics, "phems_ready", part="daemons") == 1
    assert number(metrics, "phems_steps_waiting", project="heart") == 3
    assert number(metrics, "phems_storage_calls_total", method="runs.add", result="done") == 7
    assert number(metrics, "phems_rate_limited_total", limit="sign_in") == 0
    assert ("phems_rate_limited_total", frozenset({("limit", "sign_in")})) in samples(metrics)
    whys = {part.name: part.why for part in readiness.parts()}
    assert whys["postgres"] == "Postgres does not answer. Its disk is full."
    assert whys["odd"] == "IndexError"


def test_a_probe_that_asks_without_end_looks_once_in_a_while() -> None:
    asked: list[int] = []
    readiness = Readiness({"part": lambda: asked.append(1)}, keep_seconds=600)
    for _ in range(5):
        assert readiness.parts()[0].is_ready
    assert len(asked) == 1
