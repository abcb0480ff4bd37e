"""The node's orchestrator does with every job shape what stock Dagster's in-process executor does.

For each shape: the same final status, and for each step the same events in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from dagster import AssetKey
from dagster._core.definitions.reconstruct import ReconstructableRepository
from tests.integration.engine.step_stories import run_on_stock, step_stories
from tests.nodes import RunningNode


@dataclass(frozen=True)
class Shape:
    """A job, how it is launched, and how it ends (said here too, so that both cannot be wrong alike)."""

    job: str
    status: str = "SUCCESS"
    assets: tuple[str, ...] = ()
    ops: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    run_config: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def __str__(self) -> str:
        return self.name or "-".join([self.job, *(asset.rpartition("/")[2] for asset in self.assets)])


def assets(*names: str, status: str = "SUCCESS", **tags: str) -> Shape:
    keys = tuple(f"shapes/{name}" for name in names)
    return Shape(
        "__ASSET_JOB", status, assets=keys, tags={f"dagster/{key}": tag for key, tag in tags.items()}
    )


SHAPES = [
    Shape("diamond"),
    Shape("diamond", ops=("one", "add_one"), name="diamond-subset"),
    Shape("fan_in"),
    Shape("several_outputs"),
    Shape("dynamic_collect"),
    Shape("dynamic_zero"),
    Shape("dynamic_without_collect"),
    Shape("optional_outputs"),
    Shape("skip_into_fan_in"),
    Shape("dynamic_with_skips"),
    Shape("nothing_dependencies"),
    Shape("nested_graphs"),
    Shape("configured"),
    Shape("configured", run_config={"ops": {"scaled": {"config": {"factor": 5}, "inputs": {"x": 1}}}},
          name="configured-by-launch"),
    Shape("user_events"),
    Shape("failure_propagates", "FAILURE"),
    Shape("dynamic_failure", "FAILURE"),
    Shape("dynamic_retry"),
    Shape("retry_policy"),
    Shape("retry_exhausted", "FAILURE"),
    Shape("retry_requested"),
    Shape("failure_without_retries", "FAILURE"),
    Shape("wrong_type", "FAILURE"),
    Shape("missing_output", "FAILURE"),
    Shape("hooks", "FAILURE"),
    Shape("resources"),
    Shape("chain"),
    assets("source", "derived", "last"),
    assets("red", "green", "blue", "after_red"),
    assets("blue"),
    assets("kept", "dropped", "after_dropped"),
    assets("checked"),
    assets("guarded", "behind_the_guard", status="FAILURE"),
    assets("graphed"),
    assets("outside"),
    assets("source", "breaks", "after_break", status="FAILURE"),
    Shape("letters", tags={"dagster/partition": "b"}),
    Shape("days", tags={"dagster/partition": "2026-01-03"}),
    assets("by_day", partition="2026-01-02"),
    assets("days_at_once", asset_partition_range_start="2026-01-02", asset_partition_range_end="2026-01-04"),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_shape_runs_as_under_stock_dagster(
    shape: Shape, node: RunningNode, stock_repository: ReconstructableRepository
) -> None:
    """Otherwise an author's job that works on a laptop does something else in the node."""
    how: dict[str, Any] = {"tags": shape.tags, "run_config": shape.run_config}
    if shape.assets:
        how["asset_selection"] = [AssetKey(name.split("/")) for name in shape.assets]
    if shape.ops:
        how["op_selection"] = list(shape.ops)
    stock, expected = run_on_stock(stock_repository, shape.job, **how)
    assert stock.status.value == shape.status

    run = node.run(
        shape.job, assets=shape.assets, ops=shape.ops, tags=shape.tags, run_config=shape.run_config
    )

    assert run.status.value == shape.status, node.story(run.run_id)
    assert step_stories(node.events(run.run_id)) == expected
