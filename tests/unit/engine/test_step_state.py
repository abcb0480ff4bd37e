"""What a step is told of its run: enough to run as in stock Dagster, and no more."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.plan.outputs import StepOutputHandle
from dagster._core.execution.plan.state import KnownExecutionState

from phems.engine.step_state import StepStates

KEYS = ["a", "b", "c"]


@dg.op(out=dg.DynamicOut())
def fan() -> Any:
    yield dg.DynamicOutput(1, "a")


@dg.op
def work(one: int) -> int:
    return one


@dg.op
def total(every: list[int]) -> int:
    return sum(every)


@dg.job
def fanned() -> None:
    total(fan().map(work).collect())


@pytest.fixture(scope="module")
def state() -> KnownExecutionState:
    ready = {StepOutputHandle("fan", "result", key) for key in KEYS}
    ready |= {StepOutputHandle(f"work[{key}]", "result") for key in KEYS}
    return KnownExecutionState(
        previous_retry_attempts={"work[a]": 1, "fan": 2},
        dynamic_mappings={"fan": {"result": KEYS}},
        ready_outputs=ready,
    )


def step(key: str, state: KnownExecutionState) -> Any:
    return create_execution_plan(fanned, known_state=state).get_step_by_key(key)


def test_a_branch_is_told_of_itself_alone(state: KnownExecutionState) -> None:
    """Otherwise each of n branches resolves and carries all n, and a wide fan-out crawls."""
    told = StepStates(state).of(step("work[b]", state))
    assert told.dynamic_mappings == {"fan": {"result": ["b"]}}
    assert told.ready_outputs == {StepOutputHandle("fan", "result", "b")}
    assert told.previous_retry_attempts == {}


def test_a_step_keeps_its_own_attempts(state: KnownExecutionState) -> None:
    """Otherwise a retry policy would begin anew at each attempt, for ever."""
    assert StepStates(state).of(step("work[a]", state)).previous_retry_attempts == {"work[a]": 1}


def test_who_collects_the_branches_is_told_of_all(state: KnownExecutionState) -> None:
    """Otherwise a step that collects would get a part of its inputs."""
    told = StepStates(state).of(step("total", state))
    assert told.dynamic_mappings == {"fan": {"result": KEYS}}
    assert {StepOutputHandle(f"work[{each}]", "result") for each in KEYS} <= told.ready_outputs


def test_the_plan_of_a_branch_can_be_built_from_what_it_is_told(state: KnownExecutionState) -> None:
    """Otherwise the step's process could not start."""
    told = StepStates(state).of(step("work[c]", state))
    plan = create_execution_plan(fanned, step_keys_to_execute=["work[c]"], known_state=told)
    assert [each.key for each in plan.get_steps_to_execute_in_topo_order()] == ["work[c]"]
