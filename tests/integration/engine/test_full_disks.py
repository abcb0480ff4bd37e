"""A disk that is full: the step that needs it fails and says so, and all goes on when there is room again."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import DagsterRunStatus
from tests.integration.engine.test_survival import kill_host, mortal, waiting
from tests.nodes import RunningNode, succeeded

__all__ = ["mortal"]  # its fixture, for a node of this module's own


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
