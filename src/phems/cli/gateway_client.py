"""A client of the node's gateway: GraphQL with the caller's token, over one kept connection.

Plain `http.client`, so that commands start fast; no proxy is asked, since the token must go to the node
alone. What the gateway refuses arrives as the error of our tree that it raised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, Self

from phems.errors import (
    InputError,
    IntegrityError,
    NotFoundError,
    PhemsError,
    RefusedError,
    UnavailableError,
)

SECONDS = 120.0
WILDCARDS: Mapping[str, str] = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared, not bound)
HTTP_UNAUTHORIZED = 401

_KINDS: Mapping[str, type[PhemsError]] = {
    "input": InputError,
    "refused": RefusedError,
    "not_found": NotFoundError,
    "unavailable": UnavailableError,
    "integrity": IntegrityError,
}


class GatewayClient:
    """GraphQL of one node. Close it, or use it in a `with` block."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host = WILDCARDS.get(host, host).strip("[]")
        self._port = port
        self._connection = HTTPConnection(self._host, port, timeout=SECONDS)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The `data` of a GraphQL document; the first error it answers with is raised."""
        body = json.dumps({"query": document, "variables": variables}).encode()
        status, text = self._post(body)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._not_the_node(f"It answers {status} with something that is not JSON.")
        if status == HTTP_UNAUTHORIZED:
            raise _not_signed_in(answer)
        if isinstance(answer.get("error"), dict):
            raise _rebuilt(answer["error"])
        if answer.get("errors"):
            raise _graphql_error(answer["errors"][0])
        # Dagster answers 500 with data too, when a part of it tells of an error: the part says so itself.
        data = answer.get("data")
        if not isinstance(data, dict):
            raise self._not_the_node(f"It answers {status} without data.")
        return data

    def _post(self, body: bytes) -> tuple[int, bytes]:
        try:
            self._connection.request("POST", "/graphql", body, self._headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise UnavailableError(
                "The node does not answer.",
                why=f"Nothing serves {self._host} port {self._port}: {_reason(error)}.",
                remedy="phems serve",
            ) from error

    def _not_the_node(self, why: str) -> UnavailableError:
        return UnavailableError(
            f"What listens on {self._host} port {self._port} does not answer as a node.",
            why=why,
            remedy="Check gateway.port in node.yaml, then: phems serve",
        )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {SECONDS:.0f} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _not_signed_in(answer: Mapping[str, Any]) -> RefusedError:
    told = answer.get("error")
    why = str(told.get("why", "")) if isinstance(told, dict) else ""
    return RefusedError(
        "The node does not accept the token.",
        why=why,
        remedy="Ask an operator for one (phems user token NAME), then: export PHEMS_TOKEN=...",
    )


def _rebuilt(told: Mapping[str, Any]) -> PhemsError:
    kind = _KINDS.get(str(told.get("kind")), PhemsError)
    return kind(str(told.get("what", "")), why=str(told.get("why", "")), remedy=str(told.get("remedy", "")))


def _graphql_error(error: Mapping[str, Any]) -> PhemsError:
    ours = (error.get("extensions") or {}).get("phems")
    if isinstance(ours, dict):
        return _rebuilt(ours)
    return PhemsError("The node could not answer.", why=str(error.get("message", ""))[:1000])
