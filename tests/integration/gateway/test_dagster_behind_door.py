"""Dagster's GraphQL and routes on a whole running node: who may do what, and that runs say who asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from plain_http import Answer, cookie_of, send
from small_node import OTHER, PASSWORD, PROJECT, SmallNode, until
from websockets.sync.client import connect

from phems.cli.run_queries import CANCEL, EVENTS, LAUNCH, RUN
from phems.engine.tags import APPROVAL_TAG, REQUESTER_TAG


def ask(node: SmallNode, name: str, query: str, **variables: Any) -> dict[str, Any]:
    answer = post(node, name, {"query": query, "variables": variables})
    found: dict[str, Any] = answer.json()
    return found


def post(node: SmallNode, name: str, body: Any, **headers: str) -> Answer:
    sent = {
        "Authorization": f"Bearer {node.tokens[name]}",
        "Content-Type": "application/json",
        **{key.replace("_", "-"): value for key, value in headers.items()},
    }
    return send(node.port, "POST", "/graphql", sent, json.dumps(body).encode())


def job(project: str, name: str) -> dict[str, Any]:
    return {
        "selector": {
            "repositoryLocationName": project,
            "repositoryName": "__repository__",
            "jobName": name,
        },
        "runConfigData": {},
    }


def launch(node: SmallNode, name: str, job_name: str = "two_steps") -> str:
    answer = ask(node, name, LAUNCH, params=job(PROJECT, job_name))["data"]["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


def status(node: SmallNode, run_id: str) -> str:
    run = node.serving.control.instance.get_run_by_id(run_id)
    assert run is not None
    return run.status.value


def refusal(answer: dict[str, Any]) -> dict[str, str]:
    assert answer["data"] is None
    found: dict[str, str] = answer["errors"][0]["extensions"]["phems"]
    return found


def test_a_run_says_who_asked_for_it_and_who_approved_its_code(node: SmallNode) -> None:
    """The name must reach the thread that submits the run: otherwise the audit log says "the daemon"."""
    run_id = launch(node, "ana")
    until(lambda: status(node, run_id) == "SUCCESS")
    run = node.serving.control.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags[REQUESTER_TAG] == "ana"
    assert run.tags[APPROVAL_TAG] == "code: iris"


def test_an_address_alone_executes_nothing(node: SmallNode) -> None:
    """Attack case 1: an image on some page would be a mutation."""
    headers = {"Authorization": f"Bearer {node.tokens['ana']}"}
    runs = node.serving.control.instance.get_runs_count()
    query = "mutation%7BreloadWorkspace%7B__typename%7D%7D"
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert send(node.port, method, f"/graphql?query={query}", headers).status == 405
    page = send(node.port, "GET", "/graphql", headers | {"Accept": "text/html"})
    assert page.status == 405
    assert node.serving.control.instance.get_runs_count() == runs


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/graphql",
        "text/plain; application/json",
        "multipart/form-data; boundary=application/json",
        "",
    ],
)
def test_only_json_is_executed(node: SmallNode, content_type: str) -> None:
    """Attack case 2: what a form on another page can send must not be taken for a query."""
    headers = {"Authorization": f"Bearer {node.tokens['ana']}", "Content-Type": content_type}
    for body in (b'{"query": "{version}"}', b"query={version}", b"{version}"):
        answer = send(node.port, "POST", "/graphql?query=%7Bversion%7D", headers, body)
        assert answer.status == 415


@pytest.mark.parametrize("body", [[{"query": "{version}"}], "x", {"query": 1}, {}, {"queries": []}])
def test_a_body_is_one_query(node: SmallNode, body: Any) -> None:
    assert post(node, "ana", body).status == 400


def test_a_body_that_is_no_json_or_too_deep_is_told(node: SmallNode) -> None:
    headers = {"Authorization": f"Bearer {node.tokens['ana']}", "Content-Type": "application/json"}
    for body in (b"{", b"\xff", b"[" * 100_000):
        assert send(node.port, "POST", "/graphql", headers, body).status == 400


def test_aliases_fragments_and_operation_names_open_nothing(node: SmallNode) -> None:
    """Attack case 5: what is executed is what was authorised."""
    for query in (
        'mutation A { x: deleteRun(runId: "a") { __typename } }',
        'mutation A { ...F } fragment F on Mutation { deleteRun(runId: "a") { __typename } }',
        'mutation A { ... on Mutation { y: deleteRun(runId: "a") { __typename } } }',
    ):
        assert "closed" in refusal(ask(node, "ana", query))["what"]
    both = 'query Harmless { version } mutation Harm { deleteRun(runId: "a") { __typename } }'
    answer = post(node, "ana", {"query": both, "operationName": "Harm"})
    assert "deleteRun" in refusal(answer.json())["what"]


def test_a_role_is_needed_to_launch(node: SmallNode) -> None:
    for name in ("olga", "omar", "iris"):
        told = refusal(ask(node, name, LAUNCH, params=job(PROJECT, "two_steps")))
        assert name in told["what"]
        assert "run.launch" in told["why"]
    assert post(node, "nobody", {"query": "{version}"}).status == 403
    told = refusal(ask(node, "aud", LAUNCH, params=job(PROJECT, "two_steps")))
    assert "run.launch" in told["why"], "auditors look on"


def test_the_analyst_of_one_project_cannot_launch_nor_cancel_in_another(node: SmallNode) -> None:
    """Attack case 11, first form: a role in one project is worth nothing in the next."""
    answer = ask(node, "ana", LAUNCH, params=job(OTHER, "two_steps"))
    assert answer["data"]["launchRun"]["__typename"] == "UnauthorizedError"
    run_id = launch(node, "ana", "endless")
    until(lambda: status(node, run_id) == "STARTED")
    answer = ask(node, "ben", CANCEL, id=run_id)
    assert answer == ask(node, "ben", CANCEL, id="no-such-run")
    assert status(node, run_id) == "STARTED"
    assert ask(node, "olga", CANCEL, id=run_id)["data"]["terminateRun"]["__typename"] == "TerminateRunSuccess"
    until(lambda: status(node, run_id) == "CANCELED")


def test_node_wide_switches_are_for_operators(node: SmallNode) -> None:
    """Attack case 12."""
    query = 'mutation { setConcurrencyLimit(concurrencyKey: "pool", limit: 3) }'
    assert "node.operate" in refusal(ask(node, "ana", query))["why"]
    assert ask(node, "olga", query)["data"] == {"setConcurrencyLimit": True}


def test_what_project_code_wrote_is_for_its_analysts(node: SmallNode) -> None:
    """Logs may quote patients: running the node is no reason to read them."""
    run_id = launch(node, "ana")
    until(lambda: status(node, run_id) == "SUCCESS")
    assert ask(node, "ana", EVENTS, id=run_id, limit=10)["data"]["logsForRun"]["events"]
    assert "run.logs" in refusal(ask(node, "olga", EVENTS, id=run_id))["why"]
    inner = "query($id: ID!) { runOrError(runId: $id) { ... on Run { eventConnection { cursor } } } }"
    assert "run.logs" in json.dumps(ask(node, "olga", inner, id=run_id)["errors"])
    assert ask(node, "olga", RUN, id=run_id)["data"]["runOrError"]["status"] == "SUCCESS"
    path = f"/logs/{run_id}/compute_logs/speak-1/out"
    token = {"Authorization": f"Bearer {node.tokens['olga']}"}
    assert send(node.port, "GET", path, token).status == 403
    assert send(node.port, "GET", f"/download_debug/{run_id}", token).status == 403
    token = {"Authorization": f"Bearer {node.tokens['ana']}"}
    assert send(node.port, "GET", path, token).text == "printed by the step\n"
    assert send(node.port, "GET", f"/download_debug/{run_id}", token).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/notebook?repoLocName=heart-attack&path=x.ipynb"),
        ("GET", "/dagit/notebook?repoLocName=heart-attack&path=x.ipynb"),
        ("POST", "/report_asset_materialization/heart_attack/patients"),
        ("POST", "/report_asset_check/heart_attack/patients"),
        ("POST", "/report_asset_observation/heart_attack/patients"),
        ("GET", "/download_debug/no-such-run"),
        ("GET", "/logs/no-such-run/compute_logs/x/err"),
        ("GET", "/logs/..%2fkeys%2fcapability%2fkey"),
        ("GET", "/logs/%2e%2e/keys/audit/pem"),
        ("GET", "/logs/x"),
    ],
)
def test_the_routes_beside_graphql_are_closed_or_find_nothing(
    node: SmallNode, method: str, path: str
) -> None:
    """Notebooks are project code's HTML; asset events come from runs; logs stay in their folder."""
    headers = {"Authorization": f"Bearer {node.tokens['ana']}", "Content-Type": "application/json"}
    answer = send(node.port, method, path, headers, b"{}" if method == "POST" else None)
    assert answer.status == 404
    assert "traceback" not in answer.text.lower()


def test_dagsters_own_pages_open_in_a_browser_session(node: SmallNode) -> None:
    """People work in Dagster's UI: it must load, with its scripts, behind the door."""
    body = f"name=ana&password={PASSWORD.replace(' ', '+')}&next=%2Fruns".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": node.url}
    signed_in = send(node.port, "POST", "/login", form, body)
    assert (signed_in.status, signed_in.headers["Location"]) == (303, "/runs")
    session = {"Cookie": cookie_of(signed_in), "Accept": "text/html"}
    page = send(node.port, "GET", "/runs", session)
    assert page.status == 200
    script = page.text.partition('src="')[2].partition('"')[0]
    assert send(node.port, "GET", script, session).status == 200
    own = {"Content-Type": "application/json", "Origin": node.url, **session}
    assert send(node.port, "POST", "/graphql", own, b'{"query": "{version}"}').status == 200
    foreign = own | {"Origin": "http://evil.example"}
    assert send(node.port, "POST", "/graphql", foreign, b'{"query": "{version}"}').status == 403


def test_a_subscription_is_held_to_the_same_rules(node: SmallNode) -> None:
    """Attack case 9: logs that a query would not give must not come by WebSocket; nor does a mutation run."""
    run_id = launch(node, "ana")
    until(lambda: status(node, run_id) == "SUCCESS")
    logs = f'subscription {{ pipelineRunLogs(runId: "{run_id}") {{ __typename }} }}'
    assert "data" in subscribe(node, "ana", logs)["payload"]
    told = subscribe(node, "olga", logs)
    assert (told["type"], "may not use" in told["payload"]["message"]) == ("error", True)
    runs = node.serving.control.instance.get_runs_count()
    for document in (
        'mutation { deleteRun(runId: "x") { __typename } }',
        "mutation { reloadWorkspace { __typename } }",
        "{ version }",
    ):
        assert subscribe(node, "ana", document)["type"] == "error"
    assert node.serving.control.instance.get_runs_count() == runs


def subscribe(node: SmallNode, name: str, query: str) -> dict[str, Any]:
    """The first thing that a subscription brings."""
    url = f"ws://127.0.0.1:{node.port}/graphql"
    token = {"Authorization": f"Bearer {node.tokens[name]}"}
    with connect(url, additional_headers=token, subprotocols=["graphql-ws"]) as socket:  # type: ignore[list-item]
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(timeout=20))["type"] == "connection_ack"
        socket.send(json.dumps({"type": "start", "id": "1", "payload": {"query": query}}))
        found: dict[str, Any] = json.loads(socket.recv(timeout=20))
        return found
