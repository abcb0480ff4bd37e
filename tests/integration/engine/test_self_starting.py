"""What starts by itself, through Dagster's daemon: schedules, sensors, backfills, automation conditions.

All of it is switched on when the node starts (see `self_starting`): each test waits for its own part.
"""

from __future__ import annotations

from dagster import AssetKey, DagsterRun, RunsFilter
from dagster._core.scheduler.instigation import TickStatus
from tests.nodes import RunningNode, succeeded

DAEMON_SECONDS = 75


def noted(node: RunningNode, by: str) -> DagsterRun:
    path = node.artifact(f"noted-{by}")
    run_id = node.wait_for(
        lambda: path.read_text() if path.exists() else "", f"the run of the {by}", DAEMON_SECONDS
    )
    run = node.finished(run_id)
    assert succeeded(run), node.story(run.run_id)
    return run


def test_a_sensor_of_project_code_starts_a_run(node: RunningNode) -> None:
    """Otherwise nothing starts when data comes."""
    assert noted(node, "sensor").tags["phems/requester"] == "sensor:once"


def test_a_schedule_catches_up_with_a_missed_tick(node: RunningNode) -> None:
    """Otherwise a nightly run that fell into a restart never comes."""
    assert noted(node, "schedule").tags["phems/requester"] == "schedule:every_minute"


def test_a_run_status_sensor_reads_its_run_through_the_instance(node: RunningNode) -> None:
    """Otherwise project code cannot react to the end of its own runs."""
    path = node.artifact("status-sensor")
    node.wait_for(path.exists, "the run status sensor", DAEMON_SECONDS)
    run_id, status = path.read_text().split()
    assert status == "SUCCESS"
    assert node.run_of(run_id).job_name == "noting"


def test_an_automation_condition_materializes_its_asset(node: RunningNode) -> None:
    """Otherwise `eager` is a word."""
    key = AssetKey(["shapes", "eager"])
    location = node.serving.control.workspace.create_request_context().get_code_location("shapes")
    sensor = location.get_repository("__repository__").get_sensor("automation")
    node.wait_for(
        lambda: [
            tick
            for tick in node.instance.get_ticks(sensor.get_remote_origin_id(), sensor.selector_id)
            if tick.status is TickStatus.SKIPPED
        ],
        "a first look",
        DAEMON_SECONDS,
    )
    assert succeeded(node.run("__ASSET_JOB", assets=["shapes/root"]))
    event = node.wait_for(
        lambda: node.instance.get_latest_materialization_event(key), "the eager asset", DAEMON_SECONDS
    )
    run = node.finished(event.run_id)
    assert succeeded(run)
    assert run.tags["phems/requester"] == "sensor:automation"


def test_a_backfill_runs_every_partition_once(backfill: str, node: RunningNode) -> None:
    """Otherwise history cannot be filled in."""
    of_backfill = RunsFilter(tags={"dagster/backfill": backfill})
    runs = node.wait_for(
        lambda: r if len(r := node.instance.get_runs(of_backfill)) == 3 else None, "the runs", DAEMON_SECONDS
    )
    ended = [node.finished(run.run_id) for run in runs]
    assert all(succeeded(run) for run in ended)
    assert sorted(run.tags["dagster/partition"] for run in ended) == ["a", "b", "c"]
    assert {run.tags["phems/requester"] for run in ended} == {"ana"}
