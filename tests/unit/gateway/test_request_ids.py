"""Each request has an id, and nobody writes into the node's log by way of it."""

from __future__ import annotations

import uuid

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from phems.adapters.node_log import request_id
from phems.gateway.request_ids import RequestIds

UUID = "4b8e1f9e-5f6a-4b8e-9c57-2f8f6f0f2a51"


def told(given: str | None) -> tuple[str, str]:
    """The id as the answer has it, and as the log would."""

    def seen(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(request_id.get() or "none")  # in a thread of the pool, as ours are

    client = TestClient(RequestIds(Starlette(routes=[Route("/", seen)])))
    answer = client.get("/", headers={"X-Request-Id": given} if given is not None else {})
    return answer.headers["X-Request-Id"], answer.text


@pytest.mark.parametrize("given", [UUID, UUID.upper(), UUID.replace("-", "")])
def test_an_id_that_is_one_is_taken(given: str) -> None:
    """Otherwise the lines of the proxy and those of the node are not found together."""
    assert told(given) == (given.lower(), given.lower())


@pytest.mark.parametrize("given", [None, "", "CANARY-PATIENT-7f3a9", "Smith", UUID + "0", "0" * 31])
def test_anything_else_is_not(given: str | None) -> None:
    """It would be a text of who asks, in a log that others read."""
    answered, logged = told(given)
    assert answered == logged == str(uuid.UUID(answered))
    assert answered != given


def test_the_id_is_gone_when_the_request_is_over() -> None:
    told(UUID)
    assert request_id.get() is None
