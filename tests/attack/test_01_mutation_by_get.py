"""Case 1: a mutation by GET, as a picture on any page can send it, is not executed."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from gateway_node import GatewayNode
from gateway_rows import rows


def mutations(node: GatewayNode) -> list[str]:
    return [
        f'mutation {{ terminateRun(runId: "{node.own.waiting}") {{ __typename }} }}',
        'mutation { setConcurrencyLimit(concurrencyKey: "taken", limit: 1) }',
        "mutation { reloadWorkspace { __typename } }",
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("by", ["cookie", "token"])
def test_only_a_post_is_executed(gateway_node: GatewayNode, method: str, by: str) -> None:
    """Otherwise whoever is signed in and opens a page elsewhere cancels runs with it."""
    node = gateway_node
    before = rows(node)
    for name in ("ana", "olga"):
        headers = {"Cookie": node.cookie(name), "Origin": node.origin} if by == "cookie" else {}
        before = rows(node)
        for query in mutations(node):
            path = f"/graphql?query={quote(query)}"
            answer = node.send(name if by == "token" else None, method, path, None, headers)
            assert answer.status == 405, query
    assert rows(node) == before
    assert node.status(node.own.waiting) == "STARTED"
