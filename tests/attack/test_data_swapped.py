"""Data that is swapped, changed or taken away under a host: no step reads it under another's name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.nodes import NodeSite, RunningNode, succeeded
from tests.wards_site import serving_reader, wards_site

from phems.bootstrap import open_node
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.nodespec import load_node

READER = """
import time
from dagster import Definitions, In, Nothing, OpExecutionContext, job, op
from phems.contract.runtime import current_runtime
from phems.project import DataSource

def keep(context, name):
    runtime = current_runtime()
    folder = runtime.artifact_dir
    read = {path.name: path.read_text() for path in runtime.data_dir.iterdir()}
    (folder / f"{name}-{context.run_id}").write_text(repr(read))
    return folder

@op
def first(context: OpExecutionContext) -> None:
    folder = keep(context, "first")
    deadline = time.monotonic() + 60
    while not (folder / f"go-{context.run_id}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)

@op(ins={"after": In(Nothing)})
def second(context: OpExecutionContext) -> None:
    keep(context, "second")

@job
def reading():
    second(first())

@job
def waiting():
    first()

@job
def looking():
    second()

defs = Definitions(jobs=[reading, looking, waiting])
"""


@pytest.fixture(scope="module")
def site() -> Iterator[NodeSite]:
    with wards_site(READER, wards="ward\nold\n", granted=("beds", "wards")) as found:
        yield found


@pytest.fixture(scope="module")
def node(site: NodeSite) -> Iterator[RunningNode]:
    with serving_reader(site) as found:
        yield found


def replace_by_rename(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(file)


def read_by(node: RunningNode, step: str, run_id: str) -> dict[str, str]:
    found: dict[str, str] = eval(node.artifact(f"{step}-{run_id}", "reader").read_text())  # noqa: S307
    return found


def capsule_version(node: RunningNode, run_id: str, source: str) -> str:
    data = node.serving.node.runs.admitted_data(run_id)
    assert data is not None
    return data[source].version


def sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def shown_to(node: RunningNode) -> set[str] | None:
    host = node.serving.control.hosts.current("reader")
    return set(host.shown) if host is not None else None


def under_way(node: RunningNode) -> str:
    run_id = node.launch("reading", project="reader")
    node.wait_for(lambda: node.artifact(f"first-{run_id}", "reader").exists(), "the first step")
    return run_id


def go_on(node: RunningNode, run_id: str) -> None:
    node.artifact(f"go-{run_id}", "reader").touch()


def test_a_file_that_is_replaced_between_runs_is_the_one_that_is_read(
    node: RunningNode, site: NodeSite
) -> None:
    """Otherwise lineage and the signed manifest name bytes that no step has read."""
    wards = site.node_folder / "wards.csv"
    for text in ("ward\nold\n", "ward\nrenamed\n"):
        if wards.read_text() != text:
            replace_by_rename(wards, text)
        run = node.run("looking", project="reader")
        assert succeeded(run), node.story(run.run_id)
        assert read_by(node, "second", run.run_id)["wards.csv"] == text
        assert capsule_version(node, run.run_id, "wards") == sha256(text)


@pytest.mark.parametrize("by_rename", [True, False], ids=["renamed", "in-place"])
def test_a_run_whose_data_is_replaced_under_it_goes_no_further(
    node: RunningNode, site: NodeSite, by_rename: bool
) -> None:
    """Otherwise one run has read two data sets, and its capsule names one."""
    wards = site.node_folder / "wards.csv"
    before, after = wards.read_text(), f"ward\nunder way {by_rename}\n"
    run_id = under_way(node)
    replace_by_rename(wards, after) if by_rename else wards.write_text(after)
    # A new run waits for no old one: it has a host of its own, which shows what its capsule says.
    new = node.run("looking", project="reader")
    assert succeeded(new), node.story(new.run_id)
    assert read_by(node, "second", new.run_id)["wards.csv"] == after
    assert capsule_version(node, new.run_id, "wards") == sha256(after)
    states = [host.is_current for host in node.serving.control.hosts.status()]
    assert sorted(states) == [False, True], "the old host is there for its running step"

    go_on(node, run_id)
    assert not succeeded(node.finished(run_id))
    assert capsule_version(node, run_id, "wards") == sha256(before)
    story = node.story(run_id)
    assert "the data source wards was replaced or changed" in story, story
    assert "Launch the job again." in story
    assert not node.artifact(f"second-{run_id}", "reader").exists()
    node.wait_for(lambda: len(node.serving.control.hosts.status()) == 1, "the end of the old host")


def test_a_file_that_is_changed_in_place_while_a_step_reads_is_told(
    node: RunningNode, site: NodeSite
) -> None:
    """Otherwise a run that may have read some of both looks like any other."""
    run_id = node.launch("waiting", project="reader")
    node.wait_for(lambda: node.artifact(f"first-{run_id}", "reader").exists(), "the step")
    (site.node_folder / "wards.csv").write_text("ward\nchanged in place\n")
    go_on(node, run_id)
    node.finished(run_id)
    node.wait_for(
        lambda: "changed in place while this step ran: wards" in node.story(run_id), "the word in the log"
    )


def test_a_file_that_was_touched_and_holds_the_same_is_the_same(node: RunningNode, site: NodeSite) -> None:
    """Otherwise a backup, or a change of its permissions, ends the runs of a night."""
    run_id = under_way(node)
    wards = site.node_folder / "wards.csv"
    replace_by_rename(wards, wards.read_text())
    go_on(node, run_id)
    assert succeeded(node.finished(run_id)), node.story(run_id)


def test_a_grant_that_is_taken_away_while_a_step_runs_is_gone_for_the_next(
    node: RunningNode, site: NodeSite
) -> None:
    """Otherwise a busy project goes on reading what it has no right to any more."""
    run_id = under_way(node)
    assert "wards.csv" in read_by(node, "first", run_id)
    site.projects["reader"]["data_grants"] = [{"source": "beds"}]
    site.write()
    with open_node(site.node_folder) as beside:
        beside.take_up(LOCAL_OPERATOR, load_node(site.node_folder))
    node.wait_for(lambda: shown_to(node) == {"beds"}, "a host that shows beds alone")
    node.ready("reader")
    new = node.run("looking", project="reader")
    assert succeeded(new), node.story(new.run_id)
    assert set(read_by(node, "second", new.run_id)) == {"beds.csv"}
    go_on(node, run_id)
    assert succeeded(node.finished(run_id)), node.story(run_id)
    assert set(read_by(node, "second", run_id)) == {"beds.csv"}

    # The other way round: what was granted meanwhile is not in the capsule of a run that is under way.
    run_id = under_way(node)
    site.projects["reader"]["data_grants"] = [{"source": "beds"}, {"source": "wards"}]
    site.write()
    with open_node(site.node_folder) as beside:
        (waiting,) = beside.take_up(LOCAL_OPERATOR, load_node(site.node_folder))
        beside.policies.approve(Actor("wei"), "reader", waiting.number)
    node.wait_for(lambda: len(node.serving.node.spec.projects["reader"].data_grants) == 2, "the new rules")
    go_on(node, run_id)
    assert not succeeded(node.finished(run_id))
    assert "the data source wards was granted while the run was under way" in node.story(run_id)
