"""Case 12: pools, automation and all else that holds for every project are the operators' to switch."""

from __future__ import annotations

import pytest
from gateway_node import GatewayNode
from gateway_questions import SCHEMA, words
from gateway_rows import AUDIT, rows
from question_maker import QuestionMaker

from phems.gateway.root_fields import MUTATIONS, OPERATE

SWITCHES = sorted(name for name, verbs in MUTATIONS.items() if verbs == OPERATE)
OTHERS = ("ana", "ben", "carol", "iris", "both", "aud")


def test_these_are_the_switches() -> None:
    """Otherwise one of them is in the table as something else."""
    assert {"setConcurrencyLimit", "deleteConcurrencyLimit", "setAutoMaterializePaused"} <= set(SWITCHES)


@pytest.mark.parametrize("field", SWITCHES)
def test_nobody_else_switches_them(gateway_node: GatewayNode, field: str) -> None:
    """Otherwise one project stops the schedules of all, or takes the places of their steps."""
    node = gateway_node
    question = QuestionMaker(SCHEMA, words(node, node.own)).question(field, kind="mutation")
    before = rows(node, without=frozenset({AUDIT}))
    for name in OTHERS:
        answer = node.post(name, {"query": question.text, "variables": question.variables}).json()
        assert "node.operate" in answer["errors"][0]["extensions"]["phems"]["why"], name
    assert rows(node, without=frozenset({AUDIT})) == before


def test_operators_do(gateway_node: GatewayNode) -> None:
    """Otherwise nobody can."""
    node = gateway_node
    limit = "mutation($k: String!) { setConcurrencyLimit(concurrencyKey: $k, limit: 2) }"
    assert node.ask("olga", limit, k="shared")["data"] == {"setConcurrencyLimit": True}
    end = "mutation($k: String!) { deleteConcurrencyLimit(concurrencyKey: $k) }"
    assert node.ask("olga", end, k="shared")["data"] == {"deleteConcurrencyLimit": True}
    pause = "mutation($on: Boolean!) { setAutoMaterializePaused(paused: $on) }"
    for on in (True, False):
        assert node.ask("olga", pause, on=on)["data"] == {"setAutoMaterializePaused": on}
