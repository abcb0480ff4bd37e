"""A client of the node's GraphQL, with the caller's token: what `phems run` speaks, here or from afar.

Questions are asked again when the connection breaks, acts are not: GraphQL has no idempotency keys, and a run
must not be launched twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

from phems.cli.remote.connection import NodeConnection
from phems.cli.remote.problems import UNAUTHORIZED, not_signed_in, rebuilt
from phems.errors import PhemsError, RefusedError

_JSON = {"Content-Type": "application/json"}


class GatewayClient:
    """GraphQL of one node. Close it, or use it in a `with` block."""

    def __init__(self, connection: NodeConnection, *, is_local: bool = False) -> None:
        self._connection = connection
        self._is_local = is_local

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The `data` of a GraphQL document; the first error it answers with is raised."""
        body = json.dumps({"query": document, "variables": variables}).encode()
        again = not document.lstrip().startswith("mutation")
        told = self._connection.ask("POST", "/graphql", body, _JSON, again=again)
        try:
            answer = json.loads(told.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._connection.not_a_node(f"It answers {told.status} with something that is not JSON.")
        if told.status == UNAUTHORIZED:
            raise self._not_signed_in(answer)
        if isinstance(answer.get("error"), dict):
            raise rebuilt(answer["error"])
        if answer.get("errors"):
            raise _graphql_error(answer["errors"][0])
        # Dagster answers 500 with data too, when a part of it tells of an error: the part says so itself.
        data = answer.get("data")
        if not isinstance(data, dict):
            raise self._connection.not_a_node(f"It answers {told.status} without data.")
        return data

    def _not_signed_in(self, answer: Mapping[str, Any]) -> RefusedError:
        told = answer.get("error")
        why = str(told.get("why", "")) if isinstance(told, dict) else ""
        if not self._is_local:
            return not_signed_in(why, url=self._connection.url)
        return RefusedError(
            "The node does not accept the token.",
            why=why,
            remedy="Ask an operator for one (phems user token NAME), then: export PHEMS_TOKEN=...",
        )


def _graphql_error(error: Mapping[str, Any]) -> PhemsError:
    ours = (error.get("extensions") or {}).get("phems")
    if isinstance(ours, dict):
        return rebuilt(ours)
    return PhemsError("The node could not answer.", why=str(error.get("message", ""))[:1000])
