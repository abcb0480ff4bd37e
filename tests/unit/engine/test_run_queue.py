"""What Dagster's run queue daemon is shown of its queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from dagster import DagsterInstance, DagsterRun, RunsFilter

from phems.engine.run_queue import (
    LOOK_FOR_OTHERS_SECONDS,
    OTHERS_AT_ONCE,
    FrontOfQueue,
    OtherRuns,
    limits_of,
)
from phems.engine.tags import PROJECT_TAG


class Instance:
    """As much of an instance as is asked for."""

    concurrency = "limits"

    def __init__(self, runs: Sequence[DagsterRun]) -> None:
        self._runs = runs

    def get_runs(self, filters: RunsFilter) -> Sequence[DagsterRun]:
        return [run for run in self._runs if run.run_id in (filters.run_ids or [])]


def shown(run_ids: Sequence[str]) -> FrontOfQueue:
    runs = [DagsterRun(job_name="job", run_id=run_id) for run_id in ("old", "new", "newest")]
    return FrontOfQueue(cast("DagsterInstance", Instance(runs)), run_ids)


def test_the_front_is_shown_in_its_order_and_once() -> None:
    """Dagster asks for page after page: a second one like the first would start each run twice."""
    front = shown(["newest", "old"])
    first = front.get_runs(RunsFilter(), cursor=None, limit=100, ascending=True)
    assert [run.run_id for run in first] == ["newest", "old"]
    assert front.get_runs(RunsFilter(), cursor="old", limit=100, ascending=True) == []


def test_an_empty_front_is_not_everything() -> None:
    """Dagster takes a filter for no run at all as one for any run."""
    assert shown([]).get_runs(RunsFilter()) == []


def test_all_else_is_the_instance_s() -> None:
    assert cast("Any", shown([])).concurrency == "limits"


def test_limits_are_those_of_projects() -> None:
    limits = [
        {"key": PROJECT_TAG, "value": "heart", "limit": 4},
        {"key": "team", "value": "heart", "limit": 1},
        {"key": PROJECT_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 2},
        {"key": PROJECT_TAG, "limit": 3},
    ]
    assert limits_of(limits) == {"heart": 4}


def test_runs_that_nobody_waits_for_are_looked_for_now_and_then() -> None:
    """Finding them reads the whole queue: with ten thousand in it each start of a run would be slower."""
    at = [100.0]
    others = OtherRuns(now=lambda: at[0])
    assert [others.due(), others.due()] == [OTHERS_AT_ONCE, 0]
    at[0] += LOOK_FOR_OTHERS_SECONDS - 0.1
    assert others.due() == 0
    at[0] += 0.1
    assert [others.due(), others.due()] == [OTHERS_AT_ONCE, 0]
