"""A running node tells a real collector and a file of its runs, in OpenLineage's words, each once and all."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import ExitStack
from typing import Any

from plain_http import send
from small_node import PROJECT, WEBHOOK_SECRET, SmallNode, until
from test_dagster_behind_door import launch
from tests.openlineage_events import official
from tests.receivers import Hooks, webhook_receiver

from phems.adapters.lineage_file import NAME
from phems.adapters.status_file import read_status
from phems.bootstrap.doctor.findings import Patient, State
from phems.bootstrap.doctor.lineage import look_at_lineage
from phems.cli.lineage import lines_of
from phems.domain.actors import Actor
from phems.domain.lineage_events import declared_in
from phems.nodespec import Document

CANARY = re.compile("CANARY.{1,3}PATIENT.{1,3}7f3a9")
ENDS = {"COMPLETE", "FAIL", "ABORT"}


def try_now(node: SmallNode) -> None:
    """The collector was away for most of the session's tests: do not wait for the next try."""
    with node.serving.node.governance.transaction() as work:
        work.lineage.moved("collector", work.lineage.target("collector").number)
    looking = node.serving._lineage
    assert looking is not None
    looking.wake()


def of(hooks: Hooks, run_id: str) -> list[dict[str, Any]]:
    """The events of a run, its steps' among them, as the collector got them."""
    return [each for each in hooks.told() if run_id in json.dumps(each["run"])]


def has_ended(hooks: Hooks, run_id: str) -> bool:
    return any(each["run"]["runId"] == run_id and each["eventType"] in ENDS for each in hooks.told())


def lines_in_file(node: SmallNode) -> list[bytes]:
    return (node.serving.paths.lineage / NAME).read_bytes().splitlines()


def doctor_says(node: SmallNode) -> dict[str, State]:
    """Of each place."""
    serving = node.serving
    with ExitStack() as stack:
        patient = Patient(serving.spec, serving.paths, Document("node.yaml"), stack)
        return {row.about: row.state for row in look_at_lineage(patient)}


def test_a_collector_and_a_file_get_the_same_valid_events(node: SmallNode) -> None:
    """Otherwise a hospital's lineage store refuses them, or shows numbers that come from nowhere."""
    with webhook_receiver(node.lineage_port) as hooks:
        try_now(node)
        runs = [launch(node, "ana", name) for name in ("make_ages", "failing")]
        until(lambda: all(has_ended(hooks, run) for run in runs))
        until(lambda: lines_in_file(node)[-1] == hooks.taken[-1][1])
    made, failed = runs
    for _, body in hooks.taken:
        official(json.loads(body))
        assert not CANARY.search(body.decode())
    assert all(headers["Authorization"] == f"Bearer {WEBHOOK_SECRET}" for headers, _ in hooks.taken)
    told = Counter((each["run"]["runId"], each["eventType"]) for each in hooks.told())
    assert set(told.values()) == {1}
    assert lines_in_file(node)[-len(hooks.taken) :] == [body for _, body in hooks.taken]
    assert (node.serving.paths.lineage / NAME).stat().st_mode & 0o777 == 0o600
    end = of(hooks, made)[-1]
    assert (end["job"]["name"], end["eventType"]) == ("make_ages", "COMPLETE")
    ages, _patients = end["outputs"]
    assert ages["outputFacets"]["outputStatistics"]["rowCount"] == 12
    assert [each["name"] for each in ages["facets"]["schema"]["fields"]] == ["age"]
    [declared] = declared_in(end)
    assert declared.columns == {"age": ("heart_attack/patients: born",)}
    assert end["job"]["facets"]["phems_approval"]["approvedBy"] == ["iris"]
    *_, step, end = of(hooks, failed)
    assert (step["eventType"], end["eventType"]) == ("FAIL", "FAIL")
    assert step["run"]["facets"]["parent"]["run"]["runId"] == failed
    assert "cohort" not in json.dumps(end), "the error was quoted"
    # And people see where the columns come from.
    lines = list(lines_of(node.serving.node.lineages.of(Actor("ana"), PROJECT, made)))
    assert "              age from heart_attack/patients: born" in lines


def test_a_collector_that_is_away_is_told_of_and_misses_nothing(node: SmallNode) -> None:
    """An outage must neither hold a run up nor leave a gap in its lineage."""
    headers = {"Authorization": f"Bearer {node.tokens['olga']}"}

    def numbers() -> str:
        return send(node.port, "GET", "/metrics", headers).body.decode()

    with webhook_receiver(node.lineage_port) as hooks:
        hooks.status = 503
        try_now(node)
        run_id = launch(node, "ana")
        until(lambda: any(run_id.encode() in line for line in lines_in_file(node)))
        until(lambda: 'phems_lineage_failing{target="collector"} 1.0' in numbers())
        assert 'phems_lineage_failing{target="file"} 0.0' in numbers()
        said = "the collector took none: The lineage collector took no event. it answered 503."
        assert any(said in warning for warning in node.serving.node.health.now().warnings)
        until(lambda: said in str((read_status(node.serving.paths.status) or {})["warnings"]))
        assert doctor_says(node) == {"file": State.OK, "collector": State.WARNING}
        assert hooks.taken == []
        hooks.status = 201
        try_now(node)
        until(lambda: has_ended(hooks, run_id))
        until(lambda: 'phems_lineage_events_waiting{target="collector"} 0.0' in numbers())
    steps = [each["job"]["name"] for each in of(hooks, run_id) if each["eventType"] == "COMPLETE"]
    assert steps == ["two_steps.speak", "two_steps.double", "two_steps"]
    assert not any("collector" in warning for warning in node.serving.node.health.now().warnings)
