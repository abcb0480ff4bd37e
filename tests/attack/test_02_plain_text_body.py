"""Case 2: a body that is no JSON, which a page elsewhere may send without asking, is not executed."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest
from gateway_node import GatewayNode
from gateway_rows import rows

TYPES = (
    "text/plain",
    "text/plain; charset=application/json",
    "application/x-www-form-urlencoded",
    "application/graphql",
    "multipart/form-data; boundary=application/json",
    "",
)


@pytest.mark.parametrize("content_type", TYPES)
def test_only_json_is_executed(gateway_node: GatewayNode, content_type: str) -> None:
    """Otherwise a form on another page is a mutation: in its address, or in a field."""
    node = gateway_node
    query = 'mutation { setConcurrencyLimit(concurrencyKey: "taken", limit: 1) }'
    bodies = (
        b"",
        query.encode(),
        urlencode({"query": query}).encode(),
        json.dumps({"query": query}).encode(),
    )
    before = rows(node)
    for body in bodies:
        for path in ("/graphql", f"/graphql?query={quote(query)}"):
            assert node.send("olga", "POST", path, body, {"Content-Type": content_type}).status == 415
    assert rows(node) == before
