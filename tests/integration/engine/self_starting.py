"""Switching on all that starts by itself in the job shapes, early, so that nobody waits for it long."""

from __future__ import annotations

import time

from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from tests.nodes import RunningNode

_BACKFILL = """mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_START_SENSOR = """mutation($selector: SensorSelector!) { startSensor(sensorSelector: $selector) {
  __typename ... on PythonError { message } } }"""


def switch_on(node: RunningNode) -> str:
    """Switch on everything that starts by itself; gives the backfill's id."""
    location = node.serving.control.workspace.create_request_context().get_code_location("shapes")
    repository = location.get_repository("__repository__")
    schedule = repository.get_schedule("every_minute")
    # As after a pause of the node: the schedule was on, and one tick of it was missed.
    since = ScheduleInstigatorData(schedule.cron_schedule, start_timestamp=time.time() - 90)
    node.instance.add_instigator_state(
        InstigatorState(
            schedule.get_remote_origin(), InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, since
        )
    )
    for sensor in ("once", "after_noting", "automation"):
        selector = {
            "repositoryLocationName": "shapes",
            "repositoryName": "__repository__",
            "sensorName": sensor,
        }
        answer = node.graphql(_START_SENSOR, {"selector": selector})["startSensor"]
        assert answer["__typename"] == "Sensor", answer
    params = {
        "selector": {
            "repositorySelector": {"repositoryLocationName": "shapes", "repositoryName": "__repository__"},
            "partitionSetName": "for_backfill_partition_set",
        },
        "partitionNames": ["a", "b", "c"],
    }
    answer = node.graphql(_BACKFILL, {"params": params})["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    return str(answer["backfillId"])
