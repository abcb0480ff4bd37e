"""Case 5: aliases, fragments, batches and operation names: what is executed is what was authorised."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_node import OTHER, OWN, GatewayNode, launching
from gateway_rows import AUDIT, rows

LIMIT = 'setConcurrencyLimit(concurrencyKey: "taken", limit: 1)'
HARM = f"mutation Harm {{ {LIMIT} }}"
# Each leads to the same mutation, which an analyst may not do.
DISGUISES: dict[str, dict[str, Any]] = {
    "alias": {"query": f"mutation {{ version: {LIMIT} }}"},
    "fragment": {"query": f"mutation {{ ...F }} fragment F on Mutation {{ {LIMIT} }}"},
    "fragment in a fragment": {
        "query": f"mutation {{ ...F }} fragment F on Mutation {{ ...G }} fragment G on Mutation {{ {LIMIT} }}"
    },
    "inline fragment": {"query": f"mutation {{ ... on Mutation {{ {LIMIT} }} }}"},
    "directive": {
        "query": f"mutation($on: Boolean!) {{ ... @include(if: $on) {{ {LIMIT} @skip(if: false) }} }}",
        "variables": {"on": True},
    },
    "operation name": {"query": f"query Harmless {{ version }} {HARM}", "operationName": "Harm"},
    "name of a query": {"query": f"mutation version {{ {LIMIT} }}", "operationName": "version"},
    "variables": {
        "query": 'mutation($k: String! = "taken", $n: Int = 1)'
        " { setConcurrencyLimit(concurrencyKey: $k, limit: $n) }",
    },
    "beside what is allowed": {"query": f"mutation {{ setNuxSeen {LIMIT} }}"},
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_what_is_checked_is_what_is_executed(gateway_node: GatewayNode, disguise: str) -> None:
    """Otherwise the check looks at the words, and the act is another. Each try is in the audit log."""
    node = gateway_node
    before = rows(node, without=frozenset({AUDIT}))
    tried = len(refusals(node))
    answer = node.post("ana", DISGUISES[disguise]).json()
    assert "node.operate" in answer["errors"][0]["extensions"]["phems"]["why"]
    assert rows(node, without=frozenset({AUDIT})) == before
    assert refusals(node)[tried:] == [("ana", "taken")]


@pytest.mark.parametrize(
    "body",
    [
        [{"query": HARM}],
        [{"query": "{version}"}, {"query": HARM}],
        {"query": [HARM]},
        {"query": "{version}", "operationName": {"query": HARM}},
        {"query": f"query A {{ version }} {HARM}"},
        {"query": f"query A {{ version }} {HARM}", "operationName": "B"},
    ],
    ids=["batch of one", "batch", "list of queries", "name is no text", "no name", "unknown name"],
)
def test_what_does_not_say_what_it_wants_is_not_executed(gateway_node: GatewayNode, body: Any) -> None:
    """Even of somebody who might: which of several is meant must not be guessed."""
    before = rows(gateway_node)
    assert gateway_node.post("olga", body).status == 400
    assert rows(gateway_node) == before


def test_the_operation_that_is_named_is_executed_and_no_other(gateway_node: GatewayNode) -> None:
    before = rows(gateway_node)
    body = {"query": f"query Harmless {{ version }} {HARM}", "operationName": "Harmless"}
    assert list(gateway_node.post("olga", body).json()["data"]) == ["version"]
    assert rows(gateway_node) == before


def test_each_of_several_mutations_is_judged_by_itself(gateway_node: GatewayNode) -> None:
    """Otherwise what one may do in one project opens the other."""
    node = gateway_node
    query = """
      mutation($own: ExecutionParams!, $other: ExecutionParams!) {
        a: launchRun(executionParams: $own) { __typename ... on LaunchRunSuccess { run { runId } } }
        b: launchRun(executionParams: $other) { __typename }
      }
    """
    own, other = launching(OWN, f"{node.own.prefix}_job"), launching(OTHER, f"{node.other.prefix}_job")
    data = node.ask("ana", query, own=own, other=other)["data"]
    assert data["a"]["__typename"] == "LaunchRunSuccess"
    assert data["b"] == {"__typename": "UnauthorizedError"}
    node.wait_for(data["a"]["run"]["runId"], "SUCCESS")
    runs = node.instance.get_runs()
    assert {run.run_id for run in runs if run.tags["phems/project"] == OTHER} == node.other.run_ids
    node.own.run_ids.add(data["a"]["run"]["runId"])


def refusals(node: GatewayNode) -> list[tuple[str, str]]:
    with node.serving.node.governance.transaction() as work:
        return [
            (entry.actor, entry.subject)
            for entry in work.audit.entries()
            if entry.action == "dagster.setConcurrencyLimit" and entry.result == "refused"
        ]
