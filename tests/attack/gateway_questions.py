"""What there is to ask about a project, by the names and ids of its things; and the whole of an answer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from dagster_graphql.schema import create_schema
from gateway_node import GatewayNode, Traces
from graphql import GraphQLSchema
from question_maker import Question

SCHEMA: GraphQLSchema = create_schema().graphql_schema


def words(node: GatewayNode, traces: Traces) -> dict[str, Any]:
    """Names and ids of a project's things, by the arguments that take them."""
    prefix, run = traces.prefix, traces.run
    return {
        "runId": run,
        "runIds": [run],
        "id": instigator_id(node, traces),
        "logKey": [run, "compute_logs", f"{prefix}_op"],
        "snapshotId": snapshot(node, traces),
        "backfillId": traces.backfill,
        "backfillIds": [traces.backfill],
        "repositoryLocationName": traces.project,
        "locationName": traces.project,
        "repositoryName": "__repository__",
        "jobName": f"{prefix}_job",
        "pipelineName": f"{prefix}_job",
        "graphName": f"{prefix}_job",
        "name": f"{prefix}_sensor",
        "sensorName": f"{prefix}_sensor",
        "scheduleName": f"{prefix}_schedule",
        "partitionSetName": f"{prefix}_job_partition_set",
        "path": [prefix, f"{prefix}_ward"],
        "assetKeys": [{"path": [prefix, f"{prefix}_ward"]}],
        "prefix": [prefix],
        "groupName": f"{prefix}_group",
        "partition": f"{prefix}_north",
        "partitions": [f"{prefix}_north"],
        "partitionNames": [f"{prefix}_north"],
        "partitionKey": f"{prefix}_north",
        "checkName": f"{prefix}_check",
        "tagKeys": [f"{prefix}_tag", "phems/project"],
        "tags": [{"key": "phems/project", "value": traces.project}],
        "resourceName": f"{prefix}_resource",
        "evaluationId": 1,
        "assetEvaluationId": 1,
        "limit": 10,
        "cursor": None,
        "afterCursor": None,
        "valuePrefix": prefix,
        "after": None,
        "before": None,
    }


def snapshot(node: GatewayNode, traces: Traces) -> str:
    run = node.instance.get_run_by_id(traces.run)
    return str(run.job_snapshot_id) if run else "0" * 40


def instigator_id(node: GatewayNode, traces: Traces) -> str:
    for state in node.instance.all_instigator_state():
        if state.instigator_name == f"{traces.prefix}_sensor":
            return f"{state.instigator_origin_id}:{state.selector_id}"
    return f"{'0' * 40}:{'1' * 40}"


def absent() -> Traces:
    """Names and ids of the same form that nothing ever had."""
    return Traces("absent-beta", run=str(uuid.uuid4()), backfill="zzzzzzzz")


def without_stacks(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: without_stacks(part) for key, part in found.items() if key != "stack"}
    return [without_stacks(part) for part in found] if isinstance(found, list) else found


def told(node: GatewayNode, name: str, question: Question, names: dict[str, Any]) -> str:
    """The whole answer to a question, with the things that were asked for called what they are."""
    body = {"query": question.text, "variables": question.variables}
    text = json.dumps(without_stacks(node.post(name, body).json()), sort_keys=True)
    for key, value in sorted(flat(names), key=lambda pair: -len(pair[1])):
        text = text.replace(value, f"<{key}>")
    return text


def flat(names: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in names.items():
        for one in json_strings(value):
            yield key, one


def json_strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from json_strings(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from json_strings(part)
