"""What is lost and what is not when a host or the control process dies under a run, or a disk is full."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from dagster import DagsterRunStatus
from tests.integration.engine.conftest import SHAPES
from tests.nodes import RunningNode, running_node, succeeded, temporary_site


@pytest.fixture(scope="module")
def mortal() -> Iterator[RunningNode]:
    """A node of this module's own: it is stopped, and its hosts are killed."""
    with temporary_site() as site:
        site.add_project("shapes", SHAPES, code={"repo": "../shapes-code", "module": "shapes.definitions"})
        with running_node(site) as node:
            node.approve("shapes")
            node.ready("shapes")
            yield node


def waiting(node: RunningNode, job: str) -> str:
    """Launch a job and wait until its step waits; gives the run's id."""
    node.ready("shapes")
    run_id = node.launch(job)
    until_waiting(node, run_id)
    return run_id


def until_waiting(node: RunningNode, run_id: str) -> None:
    """Wait until a step of the run says that it waits."""
    node.wait_for(lambda: node.artifact(f"waiting-{run_id}").exists(), f"a waiting step of {run_id}")


def executed(node: RunningNode, run_id: str) -> list[str]:
    """The steps that ran, once for each time, in order."""
    return node.artifact(f"count-{run_id}").read_text().split()


def kill_host(node: RunningNode) -> None:
    """Kill the project's host and wait until another has taken its place."""
    before = node.ready("shapes")
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    node.wait_for(
        lambda: (now := node.host("shapes")) and now.restarts > before.restarts, "the host's restart"
    )


def test_a_step_whose_host_is_killed_is_started_once_more(mortal: RunningNode) -> None:
    """Otherwise a host that dies fails hours of work, or hangs the run."""
    run_id = waiting(mortal, "waiting")
    mortal.artifact(f"waiting-{run_id}").unlink()
    kill_host(mortal)
    until_waiting(mortal, run_id)
    mortal.artifact(f"go-{run_id}").touch()
    run = mortal.finished(run_id)
    assert succeeded(run), mortal.story(run_id)
    assert executed(mortal, run_id) == ["counted", "waits", "waits", "counted_after"]
    assert "host was lost" in mortal.story(run_id)


@pytest.mark.parametrize("job", ["waiting", "waiting_dynamic", "waiting_in_retry"])
def test_a_run_goes_on_when_the_control_process_starts_again(job: str, mortal: RunningNode) -> None:
    """Attack 34, first form: otherwise a restart loses runs, or does finished steps again."""
    run_id = waiting(mortal, job)
    before = executed(mortal, run_id)
    mortal.stop()
    mortal.artifact(f"waiting-{run_id}").unlink()
    mortal.start()
    until_waiting(mortal, run_id)
    mortal.artifact(f"go-{run_id}").touch()

    run = mortal.finished(run_id)

    assert succeeded(run), mortal.story(run_id)
    ran = Counter(executed(mortal, run_id))
    in_flight = before[-1]
    assert ran.pop(in_flight) == before.count(in_flight) + 1
    assert set(ran.values()) <= {1}, ran
    if job == "waiting_dynamic":
        assert mortal.artifact(f"collected-{run_id}").read_text() == "[1, 2]"


def test_a_run_that_was_being_cancelled_at_a_restart_is_not_revived(mortal: RunningNode) -> None:
    """Otherwise a restart starts again what a person stopped."""
    stopped = waiting(mortal, "hiding")  # it does not end when asked, so the stop finds it still ending
    mortal.terminate(stopped)
    mortal.stop()
    mortal.start()
    assert mortal.finished(stopped).status is DagsterRunStatus.CANCELED
    mortal.ready("shapes")
    assert succeeded(mortal.run("diamond"))


def test_a_run_outlives_postgres(mortal: RunningNode) -> None:
    """Otherwise a database that is killed takes the runs of its time with it."""
    run_id = waiting(mortal, "waiting")
    pid_file = mortal.serving.paths.data_dir / "postgres" / "postmaster.pid"
    killed = int(pid_file.read_text().split()[0])
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        with suppress(Exception):
            pid = int(pid_file.read_text().split()[0])
            return pid != killed and mortal.instance.get_run_by_id(run_id) is not None
        return False

    mortal.wait_for(is_back, "another Postgres")
    mortal.artifact(f"go-{run_id}").touch()
    run = mortal.finished(run_id)
    assert succeeded(run), mortal.story(run_id)
    assert executed(mortal, run_id) == ["counted", "waits", "counted_after"]


def test_dynamic_outputs_of_a_lost_attempt_do_not_count_twice(mortal: RunningNode) -> None:
    """Otherwise a collected result holds the same part two times."""
    run_id = waiting(mortal, "waiting_dynamic")
    mortal.wait_for(
        lambda: any(e.is_successful_output for e in mortal.events(run_id)), "the first part in the log"
    )
    mortal.artifact(f"waiting-{run_id}").unlink()
    kill_host(mortal)
    until_waiting(mortal, run_id)
    mortal.artifact(f"go-{run_id}").touch()
    run = mortal.finished(run_id)
    assert succeeded(run), mortal.story(run_id)
    assert mortal.artifact(f"collected-{run_id}").read_text() == "[1, 2]"
    assert Counter(executed(mortal, run_id)) == {
        "parts_then_waits": 2,
        "counted_after[first]": 1,
        "counted_after[second]": 1,
    }


def test_a_step_that_loses_its_host_again_fails_with_the_reason(mortal: RunningNode) -> None:
    """Otherwise a step that kills its host kills it for ever."""
    run_id = waiting(mortal, "waiting")
    mortal.artifact(f"waiting-{run_id}").unlink()
    kill_host(mortal)
    until_waiting(mortal, run_id)
    kill_host(mortal)
    run = mortal.finished(run_id)
    assert run.status is DagsterRunStatus.FAILURE
    assert "lost under it more than once" in mortal.story(run_id)


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """A small disk takes the place of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
    if made.returncode != 0:
        pytest.skip("a small disk can be mounted only as root, outside most containers")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_step_whose_value_finds_no_room_says_so_and_is_run_again_when_there_is(mortal: RunningNode) -> None:
    """Otherwise half a table is read as a whole one, or nobody knows what to do."""
    folder = mortal.artifact("")
    with small_disk(folder, "size=2m,mode=0777"):
        kill_host(mortal)  # the next one sees the disk
        mortal.ready("shapes")
        failed = mortal.run("filling")
        assert failed.status is DagsterRunStatus.FAILURE
        story = mortal.story(failed.run_id)
        assert f"/io/runs/{failed.run_id}/fills/result could not be written" in story
        assert "the disk is full" in story
        assert "free some space, then run the step again" in story
        kept = {path.name for path in folder.rglob("*") if path.is_file()}
        assert kept == {f"count-{failed.run_id}"}, "something half-written is left"
        assert succeeded(mortal.run("diamond")), "what needs little room finds none"

        subprocess.run(["mount", "-o", "remount,size=16m", folder], check=True)
        again = mortal.finished(mortal.reexecute(failed.run_id))
        assert succeeded(again), mortal.story(again.run_id)
        assert mortal.artifact(f"weighed-{again.run_id}").read_text() == str(3 << 20)
    kill_host(mortal)
    mortal.ready("shapes")


def test_a_node_with_no_room_for_what_steps_print_ends_its_runs_all_the_same(mortal: RunningNode) -> None:
    """Otherwise a disk that is full of logs leaves every run of that hour hanging, and none says why."""
    folder = mortal.serving.paths.logs
    with small_disk(folder, "size=1m,nr_inodes=100,mode=0755"):
        under_way = waiting(mortal, "cleaning")
        fillers = fill(folder)
        mortal.artifact(f"go-{under_way}").touch()
        assert succeeded(mortal.finished(under_way)), mortal.story(under_way)

        refused = mortal.run("diamond")
        assert refused.status is DagsterRunStatus.FAILURE
        story = mortal.story(refused.run_id)
        assert f"could not be kept in {folder / refused.run_id / 'compute_logs'} (No space left" in story
        assert "df -h" in story

        for filler in fillers:
            filler.unlink()
        assert succeeded(mortal.run("diamond"))


def fill(folder: Path) -> list[Path]:
    """Make files until no more can be made."""
    made: list[Path] = []
    try:
        for number in itertools.count():
            (folder / f"filler-{number}").touch()
            made.append(folder / f"filler-{number}")
    except OSError:
        assert made
    return made
