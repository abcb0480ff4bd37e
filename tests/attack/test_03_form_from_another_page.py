"""Case 3: a form on another page, in the browser of somebody who is signed in here."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from gateway_node import OWN, GatewayNode
from gateway_rows import rows

FORM = "application/x-www-form-urlencoded"
MUTATION = json.dumps(
    {"query": 'mutation { setConcurrencyLimit(concurrencyKey: "taken", limit: 1) }'}
).encode()
# Dagster's GraphQL, our pages, and the API.
ACTS = (
    ("olga", "/graphql", "application/json", MUTATION),
    ("olga", "/graphql", "text/plain", MUTATION),
    ("olga", "/people", FORM, urlencode({"act": "add", "name": "eve"}).encode()),
    ("olga", "/api/users", "application/json", b'{"name": "eve"}'),
    ("ana", f"/api/projects/{OWN}/code-revisions", "application/json", b"{}"),
    ("ana", "/logout", FORM, b""),
)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "https://localhost", None]
)
def test_a_cookie_counts_for_our_own_pages_alone(gateway_node: GatewayNode, origin: str | None) -> None:
    """Otherwise any page that they visit acts in their name."""
    node = gateway_node
    cookies = {name: node.cookie(name) for name in ("ana", "olga")}
    before = rows(node)
    for name, path, content_type, body in ACTS:
        headers = {"Cookie": cookies[name], "Content-Type": content_type}
        if origin is not None:
            headers["Origin"] = origin
        assert node.send(None, "POST", path, body, headers).status == 403, path
    assert rows(node) == before
    own = {"Cookie": cookies["olga"], "Origin": node.origin, "Content-Type": "application/json"}
    assert node.send(None, "POST", "/graphql", b'{"query": "{version}"}', own).status == 200
