"""Project hosts: code that does not load, hosts that die, revisions that take over."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.nodes import OWNER, RunningNode, running_node, succeeded, temporary_site

from phems.engine.hosts import HostState, HostStatus

DEFINITIONS = """
import time
import dagster as dg
from phems.contract.runtime import current_runtime
from phems.project import ProjectIOManager

VERSION = "{version}"

@dg.op
def says(context: dg.OpExecutionContext) -> None:
    folder = current_runtime().artifact_dir
    (folder / f"waiting-{{context.run_id}}").touch()
    deadline = time.monotonic() + 60
    while not (folder / f"go-{{context.run_id}}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (folder / f"said-{{context.run_id}}").write_text(VERSION)

@dg.job
def saying() -> None:
    says()

@dg.op
def nothing() -> None:
    pass

@dg.job
def quick() -> None:
    nothing()

defs = dg.Definitions(jobs=[saying, quick], resources={{"io_manager": ProjectIOManager()}})
"""
BROKEN = """
raise ImportError("the definitions want a package that is not there")
"""
DEADLY = """
import os
os._exit(9)
"""
FILE = "src/{0}/definitions.py"


def code(project: str, text: str) -> dict[str, str]:
    return {FILE.format(project): text, f"src/{project}/__init__.py": ""}


@pytest.fixture(scope="module")
def node() -> Iterator[RunningNode]:
    """A node with a sound project, one that does not import, and one that dies as it loads."""
    with temporary_site() as site:
        site.add_project("sound", code("sound", DEFINITIONS.format(version="first")))
        site.add_project("broken", code("broken", BROKEN))
        site.add_project("deadly", code("deadly", DEADLY))
        with running_node(site) as node:
            for project in ("broken", "deadly", "sound"):
                node.approve(project)
            node.ready("sound")
            yield node


def test_code_that_does_not_import_says_why_and_the_next_revision_mends_it(node: RunningNode) -> None:
    """Otherwise an author sees an empty page and no reason."""
    status = node.wait_for(
        lambda: s if (s := node.host("broken")) and s.state is HostState.FAILED else None, "the failure"
    )
    assert "the definitions want a package that is not there" in status.error
    assert "src/broken/definitions.py" in status.error
    workspace = node.serving.control.workspace

    def load_error() -> str:
        entry = workspace.create_request_context().get_code_location_entries().get("broken")
        return entry.load_error.to_string() if entry and entry.load_error else ""

    node.wait_for(lambda: "a package that is not there" in load_error(), "the error in the workspace")

    node.site.commit("broken", code("broken", DEFINITIONS.format(version="mended")))
    node.ready("broken", node.approve("broken"))
    assert succeeded(node.run("quick", project="broken"))


def test_a_host_that_dies_is_started_again_after_a_pause_and_others_go_on(node: RunningNode) -> None:
    """Otherwise one project's bad code stops every project, or eats the machine with restarts."""
    status = node.wait_for(
        lambda: s if (s := node.host("deadly")) and s.restarts >= 2 else None, "two restarts", 30
    )
    assert status.state is not HostState.READY
    assert succeeded(node.run("quick", project="sound"))
    assert node.host("sound").restarts == 0


def test_a_new_revision_takes_over_while_a_step_ends_on_the_old_one(node: RunningNode) -> None:
    """Otherwise an approval kills what runs, or what runs changes its code under way."""
    before = node.ready("sound").code_digest
    old = node.launch("saying", project="sound")
    node.wait_for(lambda: node.artifact(f"waiting-{old}", "sound").exists(), "the step on the old code")

    node.site.commit("sound", code("sound", DEFINITIONS.format(version="second")))
    digest = node.approve("sound")
    node.ready("sound", digest)
    new = node.launch("saying", project="sound")
    node.wait_for(lambda: node.artifact(f"waiting-{new}", "sound").exists(), "the step on the new code")
    hosts = {s.code_digest: s for s in node.serving.control.hosts.status() if s.project == "sound"}
    assert {before, digest} == set(hosts)
    assert (hosts[before].running_steps, hosts[digest].running_steps) == (1, 1)

    for run_id in (new, old):
        node.artifact(f"go-{run_id}", "sound").touch()
        assert succeeded(node.finished(run_id)), node.story(run_id)
    said = [node.artifact(f"said-{run_id}", "sound").read_text() for run_id in (old, new)]
    assert said == ["first", "second"]
    node.wait_for(
        lambda: before not in {s.code_digest for s in node.serving.control.hosts.status()},
        "the end of the old host",
    )


def test_a_host_is_told_to_be_ready_when_its_jobs_can_be_launched(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise who waited for it (`phems status --wait`) is told that there is no such job."""
    control = node.serving.control
    asked, answers = threading.Event(), threading.Event()
    take_in = control.workspace.take_in

    def slowly(project: str) -> None:
        asked.set()
        assert answers.wait(60)
        take_in(project)

    def state_of(digest: str, hosts: list[HostStatus]) -> HostState | None:
        return next((host.state for host in hosts if host.code_digest == digest), None)

    node.ready("sound")
    monkeypatch.setattr(control.workspace, "take_in", slowly)
    node.site.commit("sound", code("sound", DEFINITIONS.format(version="third")))
    digest = node.approve("sound")
    node.wait_for(lambda: state_of(digest, control.hosts.status()) is HostState.READY, "the host itself")
    assert asked.wait(60)
    assert state_of(digest, control.host_status()) is HostState.LOADING
    answers.set()
    node.wait_for(lambda: state_of(digest, control.host_status()) is HostState.READY, "the workspace")
    assert succeeded(node.run("quick", project="sound"))


def test_revoked_code_is_served_no_more(node: RunningNode) -> None:
    """Otherwise a revocation changes a table and nothing else."""
    revisions = node.serving.node.code_revisions
    node.site.commit("broken", code("broken", DEFINITIONS.format(version="to be revoked")))
    digest = node.approve("broken")
    node.ready("broken", digest)
    commit = next(r.commit for r in revisions.list(OWNER, "broken") if r.digest == digest)
    revisions.revoke(OWNER, "broken", commit[:12], reason="it reads too much")
    workspace = node.serving.control.workspace
    node.wait_for(
        lambda: "broken" not in workspace.create_request_context().code_location_names, "the location's end"
    )
    assert node.host("broken") is None
