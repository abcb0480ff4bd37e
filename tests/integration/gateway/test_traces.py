"""One trace from a GraphQL request at the door to the process of each step, as a real collector gets it."""

from __future__ import annotations

import json

from plain_http import send
from small_node import PROJECT, SmallNode, until
from tests.collector import Collector

from phems.domain.traces import SPAN_KINDS

LAUNCH = """mutation ($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, mode: "default",
    executionMetadata: {tags: [{key: "study", value: "canary-of-a-tag"}]}}) {
    ... on LaunchRunSuccess { run { runId } } } }"""
CANARY = "canary-0451"


def launch(node: SmallNode, job: str) -> str:
    """By HTTP, with a canary wherever a request takes a text; gives the run's id."""
    selector = {
        "repositoryLocationName": PROJECT,
        "repositoryName": "__repository__",
        "pipelineName": job,
    }
    answer = send(
        node.port,
        "POST",
        f"/graphql?patient={CANARY}",
        {
            "Authorization": f"Bearer {node.tokens['ana']}",
            "Content-Type": "application/json",
            "User-Agent": CANARY,
            "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
            "tracestate": f"phems={CANARY}",
            "baggage": f"patient={CANARY}",
        },
        json.dumps({"query": LAUNCH, "variables": {"selector": selector}, "operationName": None}).encode(),
    )
    run_id: str = answer.json()["data"]["launchRun"]["run"]["runId"]
    return run_id


def test_one_trace_from_the_request_to_the_process(node: SmallNode, collector: Collector) -> None:
    """Otherwise nobody finds out where the time of a slow run went."""
    run_id = launch(node, "two_steps")
    until(lambda: len(collector.of_run(run_id)) == 7)
    told = collector.of_run(run_id)
    run = told["run"]
    request = next(span for span in collector.spans() if span.id == run.parent)
    assert request.name == "POST /graphql"
    assert (request.parent, request.attributes["http.response.status_code"]) == ("", 200)
    for step in ("speak 1", "double 1"):
        attempt, worker, process = (
            told[f"{kind} {step}"] for kind in ("step attempt", "step in worker", "step process")
        )
        assert (attempt.parent, worker.parent, process.parent) == (run.id, attempt.id, worker.id)
        assert attempt.began <= worker.began <= process.began <= process.ended <= worker.ended
        assert attempt.attributes["phems.result"] == "success"
        assert process.attributes["phems.told.cpu_seconds"] > 0  # type: ignore[operator]
    spans = [request, *told.values()]
    assert {span.trace for span in spans} == {request.trace} != {"ab" * 16}, "a stranger's trace is not ours"
    assert {span.resource["service.namespace"] for span in spans} == {"st-mary"}
    assert not [span for span in spans if span.is_error or span.events]


def test_a_retry_and_a_failure_are_told_without_their_words(node: SmallNode, collector: Collector) -> None:
    """What an error says quotes data; a trace goes to more people than may see it."""
    failing, retrying = launch(node, "failing"), launch(node, "retrying")
    until(lambda: len(collector.of_run(failing)) == 4)
    until(lambda: len(collector.of_run(retrying)) == 7)
    told = collector.of_run(failing)
    assert told["run"].is_error
    assert told["step attempt break_down 1"].is_error
    assert not [span for span in told.values() if span.status_text or span.events]
    results = {
        name: span.attributes["phems.result"]
        for name, span in collector.of_run(retrying).items()
        if name.startswith("step attempt")
    }
    assert results == {"step attempt stumble 1": "retry", "step attempt stumble 2": "success"}


def test_nothing_that_somebody_wrote_is_in_a_trace(node: SmallNode, collector: Collector) -> None:
    """Addresses, queries, headers, tags, errors, what steps print: a patient may be in any of them."""
    send(node.port, "GET", f"/{CANARY}?name={CANARY}", {"X-Request-Id": CANARY, "Cookie": CANARY})
    until(lambda: [span for span in collector.spans() if span.attributes.get("http.route") == "page"])
    sent = b"".join(collector.bodies())
    for written in (CANARY, "canary-of-a-tag", "cohort is empty", "a word from the step", "printed by"):
        assert written.encode() not in sent, written
    assert not [secret for secret in node.tokens.values() if secret.encode() in sent]
    known = {name for kind in SPAN_KINDS.values() for name in kind.attributes}
    assert {name for span in collector.spans() for name in span.attributes} <= known
