"""Steps that go over RabbitMQ to worker processes, and come back by Postgres."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest
from dagster import DagsterRunStatus
from tests.collector import Collector
from tests.integration.engine.processes import pids_with
from tests.nodes import RunningNode, succeeded
from tests.prometheus import prometheus_of
from tests.server_nodes import ServerSite
from tests.server_stories import (
    ends_well,
    executed,
    go_on,
    kill_workers,
    until_served,
    until_waiting,
    waiting,
    worker_pids,
)

RUNS = 50


@pytest.mark.parametrize("job", ["diamond", "dynamic_collect", "wide", "skip_into_fan_in"])
def test_a_job_runs_as_in_one_process(
    job: str, server_node: RunningNode, server_node_site: ServerSite
) -> None:
    run = server_node.run(job)
    assert succeeded(run), server_node.story(run.run_id) + server_node_site.worker_log()


def test_a_trace_goes_on_in_the_worker(server_node: RunningNode, collector: Collector) -> None:
    """Two processes tell it, which never spoke of it: otherwise a trace ends where the time is spent."""
    run_id = server_node.run("diamond").run_id
    # A run, and four steps with an attempt, a time in the worker and a process each.
    server_node.wait_for(lambda: len(collector.of_run(run_id)) == 13, "all spans")
    told = collector.of_run(run_id)
    names = {span.id: span.name for span in told.values()}
    assert {(span.name, names.get(span.parent)) for span in told.values()} == {
        ("run", None),
        ("step attempt", "run"),
        ("step in worker", "step attempt"),
        ("step process", "step in worker"),
    }
    assert {span.trace for span in told.values()} == {run_id.replace("-", "")}
    by_role = {span.name: span.resource["phems.role"] for span in told.values()}
    assert by_role == {
        "run": "control",
        "step attempt": "control",
        "step in worker": "worker",
        "step process": "worker",
    }


def test_a_worker_tells_prometheus_what_it_did(server_node: RunningNode, tmp_path: Path) -> None:
    """A control process does not know: what is slow in a worker would be nobody's to see."""
    assert succeeded(server_node.run("diamond"))
    with prometheus_of(server_node.serving.spec, tmp_path) as prometheus:
        steps = 'phems_worker_steps_ended_total{job="phems-workers", project="shapes", result="ended"}'
        server_node.wait_for(lambda: (prometheus.value_of(steps) or 0) >= 4, "the steps, at Prometheus")
        assert prometheus.value_of('up{job="phems-workers"}') == 1
        assert prometheus.value_of('phems_hosts{job="phems-workers", state="READY"}') == 1
        assert prometheus.value_of('count(phems_storage_calls_total{job="phems-workers"})')


def test_a_cancelled_run_s_processes_are_gone(server_node: RunningNode) -> None:
    """Attack 35, in a worker elsewhere: otherwise a cancelled step goes on reading data."""
    run_id = waiting(server_node, "hiding")
    mark = f"sleep {server_node.artifact(f'waiting-{run_id}').read_text()}"
    assert pids_with(mark)
    server_node.terminate(run_id)
    assert server_node.finished(run_id).status is DagsterRunStatus.CANCELED
    server_node.wait_for(lambda: not pids_with(mark), "the end of every process of the run")


def test_a_run_is_cancelled_while_its_step_waits_for_a_worker(
    server_node: RunningNode, server_node_site: ServerSite
) -> None:
    """Otherwise the step starts when a worker comes, for nobody."""
    server_node_site.stop_workers()
    run_id = server_node.launch("waiting")
    server_node.wait_for(
        lambda: server_node.serving.control.steps.depths().get("shapes") == (1, 0), "it waits"
    )
    server_node.terminate(run_id)
    assert server_node.finished(run_id).status is DagsterRunStatus.CANCELED
    server_node_site.start_worker()
    assert succeeded(server_node.run("diamond"))
    assert not server_node.artifact(f"count-{run_id}").exists()


def test_a_worker_that_is_told_to_stop_ends_what_it_has(
    server_node: RunningNode, server_node_site: ServerSite
) -> None:
    """Otherwise every upgrade of a node costs the steps of that hour."""
    run_id = waiting(server_node)
    (pool,) = server_node_site.workers
    draining = until_served(server_node)
    pool.send_signal(signal.SIGTERM)
    later = server_node_site.start_worker()
    until_served(server_node)
    go_on(server_node, run_id)
    ends_well(server_node, server_node_site, run_id, ["counted", "waits", "counted_after"])
    assert pool.wait(30) == 0
    assert not set(worker_pids(server_node)) & set(draining)
    server_node_site.workers.remove(pool)
    assert server_node_site.workers == [later]


def test_a_host_that_is_killed_costs_a_step_one_more_start(
    server_node: RunningNode, server_node_site: ServerSite
) -> None:
    run_id = waiting(server_node)
    server_node.artifact(f"waiting-{run_id}").unlink()
    for host in hosts_below(until_served(server_node)):
        os.kill(host, signal.SIGKILL)
    until_waiting(server_node, run_id)
    go_on(server_node, run_id)
    ends_well(server_node, server_node_site, run_id, ["counted", "waits", "waits", "counted_after"])


def test_data_that_is_replaced_under_a_run_ends_it_and_the_next_one_reads_the_new(
    server_node: RunningNode, server_node_site: ServerSite
) -> None:
    """Otherwise workers go on reading a file that lineage says nothing of."""
    before = server_node.ready("shapes").pid
    run_id = waiting(server_node)
    fresh = server_node_site.node_folder / "numbers.new"
    fresh.write_text("number\n2\n")
    fresh.rename(server_node_site.node_folder / "numbers.csv")
    later = waiting(server_node)
    for waiter in (run_id, later):
        go_on(server_node, waiter)
    ends_well(server_node, server_node_site, later, ["counted", "waits", "counted_after"])
    assert not succeeded(server_node.finished(run_id, seconds=90))
    assert "the data source numbers was replaced or changed" in server_node.story(run_id)
    assert executed(server_node, run_id) == ["counted", "waits"]
    assert server_node.ready("shapes").pid != before, "the control process's own host shows the new file, too"


def test_two_workers_share_a_queue_and_keep_to_the_project_s_share(
    server_node: RunningNode, server_node_site: ServerSite
) -> None:
    """Otherwise a second machine is idle, or doubles what a project may take."""
    server_node_site.start_worker()
    server_node.wait_for(lambda: len(worker_pids(server_node)) == 2, "two workers", 60)
    runs = [server_node.launch("waiting") for _ in range(6)]
    control = server_node.serving.control
    server_node.wait_for(
        lambda: sum(server_node.artifact(f"waiting-{run}").exists() for run in runs) == 4, "four that wait"
    )
    assert control.steps.depths()["shapes"] == (2, 4)
    held = Counter(beat.running for beat in workers_of(server_node))
    assert sum(count * number for count, number in held.items()) == 4
    for run in runs:
        go_on(server_node, run)
    for run in runs:
        ends_well(server_node, server_node_site, run, ["counted", "waits", "counted_after"])
    server_node_site.stop_workers()
    server_node_site.start_worker()


def test_fifty_runs_outlive_a_stop_of_everything(
    server_node: RunningNode, server_node_site: ServerSite
) -> None:
    """Otherwise whoever restarts a node looks for a quiet hour, which never comes."""
    runs = [server_node.launch("diamond") for _ in range(RUNS)]
    server_node.wait_for(
        lambda: sum(server_node.run_of(run).is_finished for run in runs) > RUNS // 10,
        "some that have ended",
        60,
    )
    server_node_site.stop_workers()
    server_node.stop()
    server_node.start()
    unfinished = [run for run in runs if not server_node.run_of(run).is_finished]
    assert unfinished, "all had ended before the stop"
    server_node_site.start_worker()
    for run in runs:
        assert succeeded(server_node.finished(run, seconds=120)), server_node.story(run)
        ended = Counter(e.step_key for e in server_node.events(run) if e.is_step_success)
        assert set(ended.values()) == {1}, server_node.story(run)


def test_a_worker_that_dies_twice_under_a_step_fails_it_with_the_reason(server_node: RunningNode) -> None:
    """Otherwise a step that takes its worker with it does so for ever."""
    run_id = waiting(server_node)
    for _ in range(2):
        server_node.artifact(f"waiting-{run_id}").unlink()
        kill_workers(server_node)
        if executed(server_node, run_id).count("waits") == 1:
            until_waiting(server_node, run_id)
    run = server_node.finished(run_id)
    assert run.status is DagsterRunStatus.FAILURE
    assert "lost under it more than once" in server_node.story(run_id)


def workers_of(node: RunningNode) -> list[object]:
    steps = node.serving.control.steps
    return list(steps.leases.workers())  # type: ignore[attr-defined]


def hosts_below(workers: list[int]) -> list[int]:
    """The sandboxes of these processes."""
    return [child.pid for worker in workers for child in psutil.Process(worker).children()]
