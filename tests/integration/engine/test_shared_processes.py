"""Branches of one fan-out may follow each other in one process; whatever is not clean gets one of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.nodes import RunningNode, running_node, succeeded, temporary_site

BRANCHES = 12
CODE = """
import json, os, resource, subprocess, sys, threading
from pathlib import Path

import dagster as dg


def leave(what):
    if what == "thread":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    elif what == "child":
        subprocess.Popen(["sleep", "60"])
    elif what == "folder":
        os.chdir("/tmp")
    elif what == "environment":
        os.environ["LEFT"] = "over"
    elif what == "cpu":
        while sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) < 0.6:
            pass
    elif what == "failure":
        raise ValueError("a branch of its own accord")
    elif what == "crash":
        os._exit(3)


@dg.op(out=dg.DynamicOut(int))
def spread():
    for number in range(12):
        yield dg.DynamicOutput(number, mapping_key=f"n{number}")


@dg.op(config_schema={"leaves": str})
def branch(context, number: int) -> int:
    print(f"branch {number} says so")
    note = {"pid": os.getpid(), "left": os.environ.get("LEFT"), "folder": os.getcwd()}
    Path(f"/artifacts/{context.run_id}-{number}").write_text(json.dumps(note))
    if number % 2:
        leave(context.op_config["leaves"])
    return number


@dg.op
def total(numbers: list[int]) -> int:
    return sum(numbers)


@dg.job
def fanout():
    total(spread().map(branch).collect())


@dg.op
def alone(context) -> None:
    Path(f"/artifacts/{context.run_id}-{context.op_handle.name}").write_text(json.dumps({"pid": os.getpid()}))


@dg.job
def side_by_side():
    for number in range(6):
        alone.alias(f"alone_{number}")()


defs = dg.Definitions(jobs=[fanout, side_by_side])
"""


@pytest.fixture(scope="module")
def node() -> Iterator[RunningNode]:
    with temporary_site() as site:
        site.add_project(
            "shared",
            {"src/shared/definitions.py": CODE, "src/shared/__init__.py": ""},
            queue={"concurrency": 2},
        )
        with running_node(site) as node:
            node.approve("shared")
            node.ready("shared")
            yield node


def run(node: RunningNode, leaves: str) -> tuple[Any, list[dict[str, Any]]]:
    """A fan-out whose odd branches leave something behind; gives the run and each branch's note."""
    config = {"ops": {"branch": {"config": {"leaves": leaves}}}}
    done = node.run("fanout", project="shared", run_config=config)
    notes = [node.artifact(f"{done.run_id}-{number}", "shared") for number in range(BRANCHES)]
    return done, [json.loads(note.read_text()) for note in notes]


def test_clean_branches_share_processes_and_keep_their_own_output(node: RunningNode) -> None:
    """Otherwise a fan-out of small steps pays a fork for each; or a branch's print lands in another's log."""
    done, notes = run(node, "nothing")
    assert succeeded(done), node.story(done.run_id)
    assert len({note["pid"] for note in notes}) < BRANCHES / 2
    logs = node.instance.compute_log_manager
    for number in range(BRANCHES):
        text = logs.get_log_data([done.run_id, "compute_logs", f"branch_n{number}_-1"]).stdout
        assert text == f"branch {number} says so\n".encode(), number


@pytest.mark.parametrize("leaves", ["thread", "child", "folder", "environment", "cpu"])
def test_a_branch_that_leaves_something_behind_is_the_last_of_its_process(
    node: RunningNode, leaves: str
) -> None:
    """Otherwise a branch would meet what another left: its threads, its folder, its environment."""
    done, notes = run(node, leaves)
    assert succeeded(done), node.story(done.run_id)
    dirty = [note["pid"] for number, note in enumerate(notes) if number % 2]
    assert len(set(dirty)) == len(dirty)
    assert {note["left"] for note in notes} == {None}
    assert len({note["folder"] for note in notes}) == 1


@pytest.mark.parametrize("leaves", ["failure", "crash"])
def test_a_branch_that_fails_takes_no_other_with_it(node: RunningNode, leaves: str) -> None:
    """Otherwise one bad input fails the branches that happen to come after it."""
    done, _ = run(node, leaves)
    assert not done.is_success
    failed = {e.step_key for e in node.events(done.run_id) if e.event_type_value == "STEP_FAILURE"}
    ended = {e.step_key for e in node.events(done.run_id) if e.event_type_value == "STEP_SUCCESS"}
    assert failed == {f"branch[n{number}]" for number in range(1, BRANCHES, 2)}
    assert {f"branch[n{number}]" for number in range(0, BRANCHES, 2)} <= ended


def test_steps_that_are_no_branches_never_share(node: RunningNode) -> None:
    """Otherwise a step would depend on which step ran before it."""
    done = node.run("side_by_side", project="shared")
    notes = [node.artifact(f"{done.run_id}-alone_{number}", "shared").read_text() for number in range(6)]
    assert len(set(notes)) == 6


def test_a_process_that_waits_for_no_branch_ends_soon(node: RunningNode) -> None:
    """Otherwise a node that did many fan-outs would be full of idle processes."""
    done, _notes = run(node, "nothing")
    assert done.is_success
    pool = node.serving.control.hosts
    node.wait_for(lambda: sum(c.running_steps() for c in pool.connections()) == 0, "the steps' end")
    # The pids are those inside the sandbox: from outside, the host's only child left is its code server.
    node.wait_for(lambda: len(children_of_host(node)) == 1, "idle processes' end", 10)


def children_of_host(node: RunningNode) -> list[int]:
    """The processes under the project's host, from outside its sandbox."""
    import psutil

    host = node.ready("shared")
    assert host.pid is not None
    whole = psutil.Process(host.pid)
    python: dict[int, int] = {}
    for process in (whole, *whole.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # a zombie, too
            if process.cmdline()[1:3] == ["-m", "phems.host"]:
                python[process.pid] = process.ppid()
    return [pid for pid, parent in python.items() if parent in python]
