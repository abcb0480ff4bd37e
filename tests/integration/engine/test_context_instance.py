"""What project code gets from `context.instance`: its own project's runs, assets and partitions work."""

from __future__ import annotations

from tests.nodes import RunningNode, succeeded


def test_a_step_reads_and_writes_what_is_its_own_project_s(node: RunningNode) -> None:
    """Otherwise code that asks Dagster of its own history works on a laptop and fails in the node."""
    assert succeeded(node.run("letters", tags={"dagster/partition": "c"}))
    run = node.run("asking", tags={"asked": f"once-{id(node)}"})
    story = node.story(run.run_id)
    assert succeeded(run), story
    for answer in (
        "run=asking",
        "runs=True",
        "records=True",
        "by_tag=True",
        "latest=7",
        "fetched=1",
        "asset=True",
        "has_asset=True",
        "keys=True",
        "own_events=True",
        "partitions=['bottom', 'top']",
        "has_partition=True",
        "left=['top']",
    ):
        assert answer in story, answer
    assert "'c'" in story.partition("materialized_partitions=")[2].splitlines()[0]


def test_a_partition_that_a_step_made_can_be_run(node: RunningNode) -> None:
    """Otherwise dynamic partitions of project code are names without a use."""
    assert succeeded(node.run("asking", tags={"asked": "for a partition"}))
    run = node.run("__ASSET_JOB", assets=["shapes/by_drawer"], tags={"dagster/partition": "top"})
    assert succeeded(run), node.story(run.run_id)
