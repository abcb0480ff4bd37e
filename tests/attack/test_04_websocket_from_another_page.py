"""Case 4: browsers let any page open a WebSocket, and send the visitor's cookie along."""

from __future__ import annotations

import json

import pytest
from gateway_node import GatewayNode
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect


def opened(node: GatewayNode, cookie: str, origin: str | None) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{node.port}/graphql",
        additional_headers={"Cookie": cookie} if cookie else {},
        origin=origin,  # type: ignore[arg-type]
        subprotocols=["graphql-ws"],  # type: ignore[list-item]
    )


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", None])
def test_a_websocket_opens_for_our_own_pages_alone(gateway_node: GatewayNode, origin: str | None) -> None:
    """Otherwise a page elsewhere reads along in the logs that its visitor may read."""
    node = gateway_node
    cookie = node.cookie("ana")
    with pytest.raises(InvalidStatus) as refused:
        opened(node, cookie, origin).close()
    assert refused.value.response.status_code == 403
    with opened(node, cookie, node.origin) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(timeout=60))["type"] == "connection_ack"


def test_a_websocket_without_a_session_is_refused(gateway_node: GatewayNode) -> None:
    for cookie in ("", "phems_session=x"):
        with pytest.raises(InvalidStatus) as refused:
            opened(gateway_node, cookie, gateway_node.origin).close()
        assert refused.value.response.status_code == 401
