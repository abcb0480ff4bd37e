"""Cases 8, 9, 10: what is another project's looks as if it did not exist, through every way in.

The node is a real one with two projects, each with a history. All that the other one has carries a mark
in its name, so whatever comes through tells on itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gateway_node import MARK, OWN, GatewayNode, Traces
from gateway_questions import SCHEMA, absent, told, words
from graphql import is_required_argument
from question_maker import QuestionMaker
from websockets.sync.client import connect

assert SCHEMA.query_type
FIELDS = SCHEMA.query_type.fields
# With the arguments that it needs alone; and with all of them, where it has others.
QUESTIONS = pytest.mark.parametrize(
    ("field", "only_required"),
    [
        pytest.param(name, only_required, id=f"{name}-{'required' if only_required else 'all'}")
        for name, field in sorted(FIELDS.items())
        for only_required in (True, False)
        if only_required or not all(map(is_required_argument, field.args.values()))
    ],
)
SHOWN = (
    "runOrError",
    "runsOrError",
    "runTagsOrError",
    "assetsOrError",
    "assetNodes",
    "assetOrError",
    "repositoryOrError",
    "workspaceOrError",
    "pipelineSnapshotOrError",
    "partitionBackfillOrError",
    "sensorOrError",
    "scheduleOrError",
    "logsForRun",
)


@pytest.fixture(scope="module")
def node(gateway_node: GatewayNode) -> GatewayNode:
    return gateway_node


@QUESTIONS
def test_what_is_another_projects_is_told_as_what_does_not_exist(
    node: GatewayNode, field: str, only_required: bool
) -> None:
    """Case 8: otherwise ids can be tried out, and what they stand for be read."""

    def answer(traces: Traces) -> str:
        names = words(node, traces)
        question = QuestionMaker(SCHEMA, names).question(field, only_required=only_required)
        return told(node, "ana", question, {"prefix_": traces.prefix, **names})

    before, made_up, after = answer(node.other), answer(absent()), answer(node.other)
    # Her own project goes on meanwhile: a sensor of it may have looked between two of these.
    assert made_up in {before, after}


@QUESTIONS
def test_no_list_and_no_link_leads_into_another_project(
    node: GatewayNode, field: str, only_required: bool
) -> None:
    """Case 10: otherwise the names alone tell what a rival studies, and on whom."""
    question = QuestionMaker(SCHEMA, words(node, node.own)).question(field, only_required=only_required)
    text = node.post("ana", {"query": question.text, "variables": question.variables}).text
    assert MARK not in text.lower()
    for run_id in {*node.other.run_ids, node.other.backfill}:
        assert run_id not in text


@pytest.mark.parametrize("field", SHOWN)
def test_the_sweep_would_see_it(node: GatewayNode, field: str) -> None:
    """Otherwise the tests above pass because they ask nothing: the mark is there for its own people."""
    maker = QuestionMaker(SCHEMA, words(node, node.other))
    for only_required in (True, False):
        question = maker.question(field, only_required=only_required)
        answer = node.post("ben", {"query": question.text, "variables": question.variables})
        found = (answer.json().get("data") or {}).get(field)
        # What is not found is called by the name that was asked for.
        is_error = isinstance(found, dict) and found["__typename"].endswith("Error")
        if not is_error and MARK in json.dumps(found).lower():
            return
    pytest.fail("nothing of ben's own project is in the answer")


def test_lists_hold_what_is_ones_own(node: GatewayNode) -> None:
    """Otherwise the scope is a wall without a door."""
    query = """{
      runsOrError { ... on Runs { count results { runId } } }
      runTagKeysOrError { ... on RunTagKeys { keys } }
      assetsOrError { ... on AssetConnection { nodes { key { path } } } }
      partitionBackfillsOrError { ... on PartitionBackfills { results { id } } }
      workspaceOrError { ... on Workspace { locationEntries { name } } }
    }"""
    data = node.ask("ana", query)["data"]
    assert {run["runId"] for run in data["runsOrError"]["results"]} == node.own.run_ids
    assert data["runsOrError"]["count"] == len(node.own.run_ids)
    assert f"{OWN}_tag" in data["runTagKeysOrError"]["keys"]
    assert [OWN, f"{OWN}_ward"] in [one["key"]["path"] for one in data["assetsOrError"]["nodes"]]
    assert data["partitionBackfillsOrError"]["results"] == [{"id": node.own.backfill}]
    assert data["workspaceOrError"]["locationEntries"] == [{"name": OWN}]


@pytest.mark.parametrize("name", ["olga", "aud"])
def test_who_looks_after_the_node_sees_all_of_it(node: GatewayNode, name: str) -> None:
    """Otherwise nobody can run it, or judge how it is run."""
    query = "{ runsOrError { ... on Runs { results { runId } } } }"
    found = {run["runId"] for run in node.ask(name, query)["data"]["runsOrError"]["results"]}
    assert node.own.run_ids | node.other.run_ids <= found


LOGS = "query($id: ID!) { logsForRun(runId: $id) { __typename ... on EventConnection { cursor } } }"


def test_logs_are_for_the_analysts_of_the_very_project(node: GatewayNode) -> None:
    """Otherwise an analyst here who checks outputs there reads what that project's code printed."""
    assert node.ask("both", LOGS, id=node.own.run)["data"]["logsForRun"]["__typename"] == "EventConnection"
    for name in ("both", "olga", "aud"):
        refused = node.ask(name, LOGS, id=node.other.run)
        assert "run.logs" in refused["errors"][0]["extensions"]["phems"]["why"]
    for name in ("both", "aud", "olga"):
        for path in routes(node, node.other):
            assert node.send(name, "GET", path).status in {403, 404}


def routes(node: GatewayNode, traces: Traces) -> list[str]:
    keys = [path.name for path in captured(node, node.other)]
    return [
        f"/download_debug/{traces.run}",
        *(f"/logs/{traces.run}/compute_logs/{key.replace('.', '/')}" for key in keys),
        f"/notebook?repoLocName={traces.project}&path=x.ipynb",
        f"/dagit/notebook?repoLocName={traces.project}&path=x.ipynb",
    ]


def captured(node: GatewayNode, traces: Traces) -> list[Path]:
    folder = next((node.serving.paths.logs).rglob(traces.run))
    return sorted(path for path in folder.rglob("*") if path.suffix in {".out", ".err"})


def test_no_route_beside_graphql_tells_them_apart(node: GatewayNode) -> None:
    """Case 8, beside GraphQL: downloads and notebooks."""
    unknown = absent()
    for theirs, nothing in zip(routes(node, node.other), routes(node, unknown), strict=True):
        answers = [node.send("ana", "GET", path) for path in (theirs, nothing)]
        assert answers[0] == answers[1]
        assert answers[0].status == 404
    assert node.send("ben", "GET", routes(node, node.other)[0]).status == 200
    assert any(
        "canary_beta printed" in node.send("ben", "GET", path).text
        for path in routes(node, node.other)[1:-2]
        if path.endswith("/out")
    )


SUBSCRIPTIONS = {
    "pipelineRunLogs": "subscription($run: ID!) { pipelineRunLogs(runId: $run) { __typename"
    " ... on PipelineRunLogsSubscriptionSuccess { messages { __typename } }"
    " ... on PipelineRunLogsSubscriptionFailure { message missingRunId } } }",
    "capturedLogs": "subscription($key: [String!]!) { capturedLogs(logKey: $key) { stdout stderr } }",
}


@pytest.mark.parametrize("field", SUBSCRIPTIONS)
def test_a_subscription_to_anothers_logs_brings_nothing(node: GatewayNode, field: str) -> None:
    """Case 9."""
    answers = []
    for traces in (node.other, absent()):
        key = captured(node, node.other)[0].stem
        variables = {"run": traces.run, "key": [traces.run, "compute_logs", key]}
        first = subscribed(node, "ana", SUBSCRIPTIONS[field], variables)
        answers.append(json.dumps(first).replace(traces.run, "<run>"))
    assert answers[0] == answers[1]
    assert MARK not in answers[0]


def subscribed(node: GatewayNode, name: str, query: str, variables: dict[str, Any]) -> Any:
    """The first thing that a subscription brings."""
    token = {"Authorization": f"Bearer {node.tokens[name]}"}
    url = f"ws://127.0.0.1:{node.port}/graphql"
    with connect(url, additional_headers=token, subprotocols=["graphql-ws"]) as socket:  # type: ignore[list-item]
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(timeout=60))["type"] == "connection_ack"
        start = {"type": "start", "id": "1", "payload": {"query": query, "variables": variables}}
        socket.send(json.dumps(start))
        return json.loads(socket.recv(timeout=60))
