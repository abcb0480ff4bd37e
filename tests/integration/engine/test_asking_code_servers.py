"""What the control plane asks of a project's code while its host is replaced, or is not there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.nodes import RunningNode, running_node, temporary_site

from phems.engine._dagster import DagsterUserCodeUnreachableError

DEFINITIONS = """
import time
import dagster as dg
from phems.contract.runtime import current_runtime

VERSION = "{version}"

@dg.op
def nothing() -> None:
    pass

@dg.job
def quick() -> None:
    nothing()

@dg.sensor(job=quick)
def slow(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    folder = current_runtime().artifact_dir
    (folder / f"asked-{{VERSION}}").touch()
    deadline = time.monotonic() + 60
    while VERSION == "first":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return dg.SensorResult(cursor=VERSION)

defs = dg.Definitions(jobs=[quick], sensors=[slow])
"""
SLOW = """
import time

time.sleep(5)
"""
FILE = "src/asked/definitions.py"
EVALUATE = """mutation($selector: SensorSelector!) { sensorDryRun(selectorData: $selector, cursor: "") {
  __typename
  ... on DryRunInstigationTick { evaluationResult { cursor error { message } } }
  ... on PythonError { message }
} }"""
SELECTOR = {
    "repositoryLocationName": "asked",
    "repositoryName": "__repository__",
    "sensorName": "slow",
}


@pytest.fixture(scope="module")
def node() -> Iterator[RunningNode]:
    """A node with one project, whose first revision never ends the look of its sensor."""
    with temporary_site() as site:
        site.add_project("asked", {FILE: DEFINITIONS.format(version="first"), "src/asked/__init__.py": ""})
        with running_node(site) as node:
            node.approve("asked")
            node.ready("asked")
            yield node


def evaluated(node: RunningNode) -> Any:
    return node.graphql(EVALUATE, {"selector": SELECTOR})["sensorDryRun"]


def test_a_question_that_a_replaced_host_leaves_open_is_asked_of_the_next(node: RunningNode) -> None:
    """Otherwise new code, or a data file replaced at night, fails the tick of a sensor or a launch."""
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(evaluated, node)
        node.wait_for(node.artifact("asked-first", "asked").exists, "the sensor of the first revision")
        node.site.commit("asked", {FILE: DEFINITIONS.format(version="second")})
        node.approve("asked")
        assert answer.result(60) == {
            "__typename": "DryRunInstigationTick",
            "evaluationResult": {"cursor": "second", "error": None},
        }


def test_what_is_shown_stays_while_the_next_revision_loads(node: RunningNode) -> None:
    """Otherwise who presses Reload takes the project away from everybody until its new code has loaded."""
    workspace = node.serving.control.workspace
    second = node.ready("asked").code_digest
    opened_before = workspace.create_request_context()
    before = workspace.get_current_workspace().code_location_entries["asked"]
    node.site.commit("asked", {FILE: SLOW + DEFINITIONS.format(version="third")})
    digest = node.approve("asked")
    node.wait_for(lambda: (host := node.host("asked")) is not None and host.code_digest == digest, "it")
    assert node.serving.control.hosts.is_older_serving("asked")
    workspace.reload_code_location("asked")
    assert workspace.get_current_workspace().code_location_entries["asked"] is before
    assert before.code_location is not None
    assert node.run("quick", project="asked").is_success
    node.ready("asked", digest)
    assert workspace.get_current_workspace().code_location_entries["asked"] is not before
    assert not node.serving.control.hosts.is_older_serving("asked")
    # A launch from a page that was opened before is of the code that the page showed.
    opened_now = workspace.create_request_context()
    shown = [workspace.code_of(opened, "asked") for opened in (opened_before, opened_now)]
    assert shown == [second, digest]


def test_a_question_to_a_host_that_is_not_there_says_so(node: RunningNode) -> None:
    """Otherwise a person reads of gRPC, and not what to do."""
    control = node.serving.control
    location = control.workspace.create_request_context().get_code_location("asked")
    job = location.get_repository("__repository__").get_full_job("quick")
    control.hosts.deactivate("asked")
    with pytest.raises(DagsterUserCodeUnreachableError, match=r"host of project asked .* Remedy: try again"):
        location.get_execution_plan(job, {}, None, None, None)
