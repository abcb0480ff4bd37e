"""Cancelling, limits, pools, priorities, re-execution: what people ask of runs beside their result."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from dagster import DagsterRunStatus
from tests.integration.engine.processes import pids_with
from tests.nodes import RunningNode, succeeded

CANCEL_SECONDS = 2.0


def waiting(node: RunningNode, job: str) -> str:
    """Launch a job and wait until its step waits; gives the run's id."""
    run_id = node.launch(job)
    node.wait_for(lambda: node.artifact(f"waiting-{run_id}").exists(), f"the step of {job}")
    return run_id


def executed(node: RunningNode, run_id: str) -> list[str]:
    """The steps that ran, once for each time, in order."""
    path = node.artifact(f"count-{run_id}")
    return path.read_text().split() if path.exists() else []


def test_cancel_ends_even_processes_that_hide_within_two_seconds(node: RunningNode) -> None:
    """Attack 35: otherwise work that a person stopped goes on reading data."""
    run_id = waiting(node, "hiding")
    seconds = node.artifact(f"waiting-{run_id}").read_text()
    assert (
        len(node.wait_for(lambda: (p := pids_with(f"sleep {seconds}.")) and len(p) >= 2 and p, "both")) >= 2
    )

    began = time.monotonic()
    node.terminate(run_id)
    run = node.finished(run_id)
    node.wait_for(lambda: not pids_with(f"sleep {seconds}."), "the end of all processes", CANCEL_SECONDS)

    assert time.monotonic() - began < CANCEL_SECONDS
    assert run.status is DagsterRunStatus.CANCELED, node.story(run_id)


def test_a_cancelled_step_may_clean_up(node: RunningNode) -> None:
    """Otherwise a cancelled step leaves half a file behind that its author meant to remove."""
    run_id = waiting(node, "cleaning")
    node.terminate(run_id)
    assert node.finished(run_id).status is DagsterRunStatus.CANCELED
    assert node.artifact(f"cleaned-{run_id}").exists()


def test_a_run_cancelled_in_the_queue_never_starts(node: RunningNode) -> None:
    """Otherwise a run that a person took back runs anyway."""
    node.artifact("go", "narrow").unlink(missing_ok=True)
    blocker = node.launch("blocking", project="narrow")
    node.when_started(blocker, "blocks")
    queued = node.launch("quick_job", project="narrow")
    assert node.run_of(queued).status is DagsterRunStatus.QUEUED
    node.terminate(queued)
    assert node.finished(queued).status is DagsterRunStatus.CANCELED
    node.artifact("go", "narrow").touch()
    assert succeeded(node.finished(blocker))
    assert not [e for e in node.events(queued) if e.is_step_event]


def test_what_a_finished_step_left_running_is_ended(node: RunningNode) -> None:
    """Otherwise a step that succeeded leaves a process that goes on reading data."""
    run = node.run("leaving")
    assert succeeded(run), node.story(run.run_id)
    seconds = 200000 + int(run.run_id[:4], 16)
    node.wait_for(lambda: not pids_with(f"sleep {seconds}"), "the end of the process", 2)


def test_a_run_over_its_time_is_ended_and_says_so(node: RunningNode) -> None:
    """Otherwise a limit that a person set on a run does nothing while a step hangs."""
    run_id = node.launch("waiting", tags={"dagster/max_runtime": "2"})
    run = node.finished(run_id, 15)
    assert run.status is DagsterRunStatus.FAILURE
    assert "exceeded its maximum run time" in node.story(run_id)
    assert "counted_after" not in executed(node, run_id)
    assert not [e for e in node.events(run_id) if e.is_step_success and e.step_key == "waits"]


def test_a_pool_of_one_is_never_used_twice_at_once(node: RunningNode) -> None:
    """Otherwise a licence or a machine that takes one user gets two."""
    storage = node.instance.event_log_storage
    storage.set_concurrency_slots("shapes_pool", 1)
    try:
        runs = [node.launch(job) for job in ("in_pool", "retry_in_pool", "in_pool")]
        for run_id in runs:
            assert succeeded(node.finished(run_id)), node.story(run_id)
    finally:
        storage.delete_concurrency_limit("shapes_pool")
    spans = sorted(span for run_id in runs for span in _spans(node, run_id))
    assert len(spans) == 3 + 3 + 3
    assert all(before[1] <= after[0] for before, after in pairwise(spans)), spans


def _spans(node: RunningNode, run_id: str) -> list[tuple[float, float]]:
    """When each attempt in the pool began and ended."""
    begun: dict[str, float] = {}
    spans = []
    for entry in node.instance.all_logs(run_id):
        kind = entry.dagster_event_type.value if entry.dagster_event_type else ""
        if kind in {"STEP_START", "STEP_RESTARTED"}:
            begun[entry.step_key] = entry.timestamp
        elif kind in {"STEP_SUCCESS", "STEP_UP_FOR_RETRY"}:
            spans.append((begun.pop(entry.step_key), entry.timestamp))
    return spans


def test_steps_start_by_priority(node: RunningNode) -> None:
    """Otherwise a step that its author marked as urgent waits behind others."""
    run = node.run("by_step_priority", project="narrow")
    started = [e.step_key for e in node.events(run.run_id) if e.event_type_value == "STEP_START"]
    assert started == ["high", "middling", "low"]


def test_runs_start_by_priority(node: RunningNode) -> None:
    """Otherwise an urgent run waits behind all that were asked for before it."""
    node.artifact("go", "narrow").unlink(missing_ok=True)
    blocker = node.launch("blocking", project="narrow")
    node.when_started(blocker, "blocks")
    runs = {
        priority: node.launch("quick_job", project="narrow", tags={"dagster/priority": priority})
        for priority in ("-1", "0", "7")
    }
    node.artifact("go", "narrow").touch()
    ended = {name: node.finished(run_id) for name, run_id in runs.items()}
    assert all(succeeded(run) for run in ended.values())
    began = {name: node.instance.get_run_record_by_id(r).start_time for name, r in runs.items()}
    assert sorted(began, key=began.__getitem__) == ["7", "0", "-1"]


def test_re_execution_from_failure_runs_only_what_failed_and_what_follows(node: RunningNode) -> None:
    """Otherwise hours of finished work are done again, or done on other values than before."""
    first = node.run("mendable")
    assert first.status is DagsterRunStatus.FAILURE
    assert sorted(executed(node, first.run_id)) == ["breaks_until_told", "counted", "counted_after"]
    node.artifact(f"mended-{first.run_id}").touch()

    again = node.finished(node.reexecute(first.run_id))

    assert succeeded(again), node.story(again.run_id)
    assert executed(node, again.run_id) == ["breaks_until_told", "remembers"]
    assert node.artifact(f"remembered-{again.run_id}").read_text() == "2 1"
    assert again.tags["phems/requester"] == "ana"


def test_re_execution_from_failure_of_a_dynamic_part(node: RunningNode) -> None:
    """Otherwise one failed part of many means doing all of them again."""
    first = node.run("mendable_dynamic")
    assert first.status is DagsterRunStatus.FAILURE
    node.artifact(f"mended-{first.run_id}").touch()
    again = node.finished(node.reexecute(first.run_id))
    assert succeeded(again), node.story(again.run_id)
    assert executed(node, again.run_id) == ["breaks_on_two[b]"]
    assert node.artifact(f"collected-{again.run_id}").read_text() == "[1, 2]"


def test_re_execution_of_all_steps(node: RunningNode) -> None:
    """Otherwise a run cannot simply be done again."""
    first = node.run("mendable")
    node.artifact(f"mended-{first.run_id}").touch()
    again = node.finished(node.reexecute(first.run_id, "ALL_STEPS", by="carol"))
    assert succeeded(again), node.story(again.run_id)
    assert len(executed(node, again.run_id)) == 4
    assert again.tags["phems/requester"] == "carol"


def test_what_a_step_prints_can_be_read(node: RunningNode) -> None:
    """Otherwise an author cannot see what their step said."""
    run = node.run("printing")
    manager = node.instance.compute_log_manager
    captured = {
        step: key
        for event in node.events(run.run_id)
        if event.event_type_value == "LOGS_CAPTURED"
        for key in [event.logs_captured_data.file_key]
        for step in event.logs_captured_data.step_keys or []
    }
    assert set(captured) == {"prints", "prints_otherwise"}
    data = manager.get_log_data([run.run_id, "compute_logs", captured["prints"]])
    assert (data.stdout or b"").decode().split("\n")[:2] == ["said to stdout", "said by a child"]
    assert b"said to stderr" in (data.stderr or b"")
    assert manager.is_capture_complete([run.run_id, "compute_logs", captured["prints"]])
    other = manager.get_log_data([run.run_id, "compute_logs", captured["prints_otherwise"]])
    assert b"said by another" in (other.stdout or b"")
    assert "said to the log" in node.story(run.run_id)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("exit", "exit code 3"),
        ("kill", "SIGKILL"),
        ("memory", "MemoryError"),
        ("large_file", "File too large"),
        ("sys_exit", "SystemExit"),
        ("recursion", "RecursionError"),
    ],
)
def test_a_step_that_dies_fails_with_the_reason(how: str, reason: str, node: RunningNode) -> None:
    """Otherwise a run hangs or fails without a word on why."""
    run = node.run("dying", run_config={"ops": {"dies": {"config": {"how": how}}}})
    assert run.status is DagsterRunStatus.FAILURE
    assert reason in node.story(run.run_id)
    failed = [e.step_key for e in node.events(run.run_id) if e.is_step_failure]
    assert failed == ["dies"]
    assert executed(node, run.run_id) == []


def test_a_step_over_its_cpu_time_is_ended_and_says_so(node: RunningNode) -> None:
    """Otherwise a loop without end blocks a project's queue for ever, or its end looks like a riddle."""
    run = node.run("burning", project="narrow")
    assert run.status is DagsterRunStatus.FAILURE
    assert "resources.cpu_seconds" in node.story(run.run_id), node.story(run.run_id)


@pytest.mark.parametrize(
    ("job", "step"), [("resource_fails", "needs_it"), ("resource_fails_again", "needs_it_twice")]
)
def test_a_resource_that_does_not_come_up_fails_its_step_alone(
    job: str, step: str, node: RunningNode
) -> None:
    """Otherwise a broken resource hangs the run, or hides its own error."""
    run = node.run(job)
    assert run.status is DagsterRunStatus.FAILURE
    events = node.events(run.run_id)
    assert [e.step_key for e in events if e.is_step_failure] == [step]
    assert [e.step_key for e in events if e.is_step_success] == ["one"]
    assert "the resource is out of order" in node.story(run.run_id)
    assert "exit code" not in node.story(run.run_id), [
        p.read_text() for p in (node.serving.paths.logs / run.run_id).rglob("*.err")
    ]
    assert len([e for e in events if e.is_step_up_for_retry]) == (step == "needs_it_twice")


def test_a_fan_out_of_a_hundred(node: RunningNode) -> None:
    """Otherwise a job that spreads its work wide does not come back."""
    run = node.run("wide")
    assert succeeded(run), node.story(run.run_id)
    events = node.events(run.run_id)
    assert len([e for e in events if e.is_step_success]) == 102
    assert "total 5050" in node.story(run.run_id)


def test_many_runs_at_once_all_end(node: RunningNode) -> None:
    """Otherwise a run is forgotten when many are asked for together."""
    runs = [node.launch("diamond") for _ in range(8)]
    assert all(succeeded(node.finished(run_id)) for run_id in runs)
