"""Case 7: a header that says who somebody is, or where they come from, changes nothing on a whole node."""

from __future__ import annotations

import pytest
from gateway_node import GatewayNode

from phems.gateway.inbound_headers import STRIPPED_NAMES, STRIPPED_PREFIXES

FORGED = sorted(
    {name.decode() for name in STRIPPED_NAMES}
    | {prefix.decode() + "user" for prefix in STRIPPED_PREFIXES}
    | {"x-forwarded-for", "x-forwarded-host", "remote_user", "x_forwarded_user"}
)
PATHS = ("/", "/runs", "/api/me", "/account", "/server_info", "/audit")


@pytest.mark.parametrize("who", ["ana", "olga", "node", "local-operator"])
def test_nobody_is_let_in_by_a_header(gateway_node: GatewayNode, who: str) -> None:
    """Many programs trust the one that their proxy sets: here it would open a hospital's data to all."""
    for path in PATHS:
        for value in (who, f"{who}@hospital.example"):
            answer = gateway_node.send(None, "GET", path, headers=dict.fromkeys(FORGED, value))
            assert answer.status in {401, 403}, path


def test_a_known_person_stays_who_they_are(gateway_node: GatewayNode) -> None:
    """Somebody with a token of their own must not launch, approve or read in another's name."""
    plain = gateway_node.send("mallory", "GET", "/api/me")
    assert plain.json()["name"] == "mallory"
    for name in FORGED:
        assert gateway_node.send("mallory", "GET", "/api/me", headers={name: "olga"}) == plain, name


def test_an_address_that_is_made_up_opens_nothing(gateway_node: GatewayNode) -> None:
    """Programs on this machine may read the numbers of the node: a header does not make one."""
    assert gateway_node.send(None, "GET", "/metrics").status == 200
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        assert gateway_node.send(None, "GET", "/metrics", headers={name: "127.0.0.1"}).status == 401
