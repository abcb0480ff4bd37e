"""What a run's log says of each step, in a form that two engines can be compared by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from dagster import DagsterEvent, DagsterInstance, DagsterRun, execute_job
from dagster._core.definitions.reconstruct import ReconstructableRepository

# Of processes and engines, not of steps: they differ between any two executors of stock Dagster too.
_OF_THE_ENGINE = {
    "ENGINE_EVENT",
    "LOGS_CAPTURED",
    "RESOURCE_INIT_STARTED",
    "RESOURCE_INIT_SUCCESS",
    "RESOURCE_INIT_FAILURE",
    "STEP_WORKER_STARTING",
    "STEP_WORKER_STARTED",
}
STOCK_CONFIG = {
    "execution": {"config": {"in_process": {}}},
    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
}

Story = dict[str, list[str]]


def step_stories(events: Iterable[DagsterEvent]) -> Story:
    """For each step what happened, in order: the kind of event and what it is about."""
    stories: Story = defaultdict(list)
    for event in events:
        if event.step_key is not None and event.event_type_value not in _OF_THE_ENGINE:
            stories[event.step_key].append(" ".join([event.event_type_value, *_about(event)]))
    return {step: _with_hooks_sorted(story) for step, story in stories.items()}


def _with_hooks_sorted(story: list[str]) -> list[str]:
    # Hooks of a job are a set: their order is nobody's promise.
    hooks = [event for event in story if event.startswith("HOOK_")]
    return [event for event in story if event not in hooks] + sorted(hooks)


def _about(event: DagsterEvent) -> list[str]:
    kind = event.event_type_value
    if kind == "STEP_OUTPUT":
        handle = event.step_output_data.step_output_handle
        return [f"{handle.output_name}[{handle.mapping_key or ''}]"]
    if kind in {"ASSET_MATERIALIZATION", "ASSET_OBSERVATION"}:
        return [event.asset_key.to_user_string() if event.asset_key else "", event.partition or ""]
    if kind == "ASSET_CHECK_EVALUATION":
        found = event.asset_check_evaluation_data
        return [found.asset_key.to_user_string(), found.check_name, str(found.passed)]
    if kind == "STEP_FAILURE":
        error: Any = event.step_failure_data.error
        return [error.cls_name if error else ""]
    return []


def run_on_stock(repository: ReconstructableRepository, job: str, **how: Any) -> tuple[DagsterRun, Story]:
    """Run a job with stock Dagster's in-process executor on an instance of its own."""
    config = {**how.pop("run_config", {}), **STOCK_CONFIG}
    with DagsterInstance.ephemeral() as instance:
        result = execute_job(
            repository.get_reconstructable_job(job), instance, run_config=config, raise_on_error=False, **how
        )
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        logged = (entry.dagster_event for entry in instance.all_logs(result.run_id))
        return run, step_stories(event for event in logged if event is not None)
