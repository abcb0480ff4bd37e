"""An output path with `..`, a link in the way, two gigabytes: as an author meets it in a run's log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.nodes import RunningNode, temporary_site

WRITES = """
import os
from pathlib import Path

import dagster as dg
from phems.project import outputs

AREA = Path("/artifacts")


@dg.op
def climbs(context):
    outputs.write_text(context, "../../other/table.csv", "a")


@dg.op
def absolute(context):
    outputs.write_text(context, "/etc/table.csv", "a")


@dg.op
def through_a_link(context):
    folder = AREA / "outputs" / context.run_id
    folder.mkdir(parents=True)
    (folder / "tables").symlink_to("/data")
    outputs.write_text(context, "tables/table.csv", "a")


@dg.op
def onto_a_link(context):
    folder = AREA / "outputs" / context.run_id
    folder.mkdir(parents=True)
    (folder / "table.csv").symlink_to("/data/x")
    outputs.write_text(context, "table.csv", "a")


@dg.op
def giant(context):
    with outputs.open_binary(context, "table.csv") as file:
        file.write(b"a")
        file.flush()
        os.ftruncate(file.fileno(), 2 << 30)


@dg.op
def large(context):
    with outputs.open_binary(context, "table.csv") as file:
        for _ in range(16):
            file.write(b"x" * (1 << 20))


JOBS = []
for op in (climbs, absolute, through_a_link, onto_a_link, giant, large):
    JOBS.append(dg.GraphDefinition(name=f"{op.name}_job", node_defs=[op]).to_job())
defs = dg.Definitions(jobs=JOBS)
"""


@pytest.fixture(scope="module")
def node() -> Iterator[RunningNode]:
    """A node with a project that may write files of 8 MiB."""
    with temporary_site() as site:
        site.add_project(
            "small",
            {"src/small/definitions.py": WRITES, "src/small/__init__.py": ""},
            resources={"memory": "2GiB", "file_size": "8MiB"},
        )
        running = RunningNode(site).start()
        try:
            running.approve("small")
            running.ready("small")
            yield running
        finally:
            running.stop()


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("climbs_job", ("InputError", "../../other/table.csv")),
        ("absolute_job", ("InputError", "/etc/table.csv")),
        ("through_a_link_job", ("InputError", "tables/table.csv")),
        ("onto_a_link_job", ("InputError", "table.csv")),
        ("giant_job", ("table.csv", "size limit")),
        ("large_job", ("table.csv", "size limit")),
    ],
)
def test_the_log_says_which_output_and_what_to_do(
    node: RunningNode, job: str, words: tuple[str, ...]
) -> None:
    """Otherwise an author would see `OSError: [Errno 27]`, or nothing at all."""
    run = node.run(job, project="small")
    errors = [event.event_specific_data for event in node.events(run.run_id) if event.is_step_failure]
    story = "\n".join(data.error.to_string() for data in errors)  # type: ignore[union-attr]
    assert not run.is_success
    for word in (*words, "Remedy"):
        assert word in story, story
    outputs = node.artifact("outputs", "small") / run.run_id
    left = [path for path in outputs.rglob("*") if path.is_file() and not path.is_symlink()]
    assert left == [], "nothing half-done"
    with node.serving.node.governance.transaction() as tx:
        assert not tx.outputs.of_run("small", run.run_id)
