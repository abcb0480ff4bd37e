"""Pauses of a run while the clock of the machine is set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.api import create_execution_plan

from phems.engine._dagster import RetryMode
from phems.engine.steady_clock import PoolClaims, SteadyExecution

HOUR, PAUSE = 3600.0, 10.0


@dataclass
class Clocks:
    """The clock on the wall, which can be set, and the one that only goes on."""

    monkeypatch: pytest.MonkeyPatch
    passed: float = 0.0
    wall: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        self.monkeypatch.setattr(time, "time", lambda: self.wall + self.passed)
        self.monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + self.passed)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clocks]:
    with monkeypatch.context() as patch:
        yield Clocks(patch)


@dg.op
def step() -> None:
    """Fail, and be tried again."""


@dg.job
def job() -> None:
    step()


@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_a_pause_before_a_retry_stays_as_long_as_it_is_when_the_clock_is_set(
    by: float, clocks: Clocks
) -> None:
    """Otherwise a step that is to be tried again in ten seconds is in an hour, or at once."""
    execution = SteadyExecution(create_execution_plan(job), RetryMode.ENABLED)
    with execution:
        assert ready(execution) == ["step"]
        execution.mark_up_for_retry("step", time.time() + PAUSE)
        clocks.wall += by
        assert execution.sleep_interval() == pytest.approx(PAUSE)
        assert ready(execution) == []
        clocks.passed += PAUSE / 2
        clocks.wall -= by  # and set right again
        assert ready(execution) == []
        clocks.passed += PAUSE / 2 + 0.001
        assert ready(execution) == ["step"]
        execution.mark_success("step")


def ready(execution: SteadyExecution) -> list[str]:
    """The steps that may begin now."""
    return [step.key for step in execution.get_steps_to_execute()]


def test_a_claim_on_a_pool_is_tried_again_when_the_clock_was_set_back(clocks: Clocks, tmp_path: Path) -> None:
    """Otherwise a run waits an hour for a place that is free."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.event_log_storage.set_concurrency_slots("pool", 1)
        first = PoolClaims(instance, instance.create_run_for_job(job))
        second = PoolClaims(instance, instance.create_run_for_job(job))
        with first, second:
            assert first.claim("pool", "step")
            assert not second.claim("pool", "step")
            first.free_step("step")
            clocks.wall -= HOUR
            clocks.passed += 60.0
            assert second.claim("pool", "step")
