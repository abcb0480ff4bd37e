"""Which events a step may write: its own, of the kinds that a step has, about its own project.

The kinds are a table; whatever is not in it is a run's or the node's to say. So a step cannot declare
its run a success, plan a materialisation, or speak for another step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from phems.contract.capability import Capability
from phems.engine._dagster import DagsterEventType, EventLogEntry
from phems.errors import RefusedError


class StepScope(Protocol):
    """Who writes: a step, by its capability, and its project's prefix of asset keys."""

    capability: Capability
    asset_prefix: str


_T = DagsterEventType
STEP_EVENT_TYPES: frozenset[DagsterEventType] = frozenset(
    {
        _T.STEP_OUTPUT,
        _T.STEP_INPUT,
        _T.STEP_FAILURE,
        _T.STEP_START,
        _T.STEP_SUCCESS,
        _T.STEP_UP_FOR_RETRY,
        _T.STEP_RESTARTED,
        _T.STEP_EXPECTATION_RESULT,
        _T.RESOURCE_INIT_STARTED,
        _T.RESOURCE_INIT_SUCCESS,
        _T.RESOURCE_INIT_FAILURE,
        _T.ASSET_MATERIALIZATION,
        _T.ASSET_OBSERVATION,
        _T.ASSET_CHECK_EVALUATION,
        _T.ENGINE_EVENT,
        _T.HOOK_COMPLETED,
        _T.HOOK_ERRORED,
        _T.HOOK_SKIPPED,
        _T.ASSET_STORE_OPERATION,
        _T.OBJECT_STORE_OPERATION,
        _T.LOADED_INPUT,
        _T.HANDLED_OUTPUT,
        _T.LOGS_CAPTURED,
    }
)
# Kinds that speak of the process rather than of the step, and so carry no step key.
_WITHOUT_STEP_KEY = frozenset({_T.LOGS_CAPTURED, _T.ENGINE_EVENT})
_ABOUT_ASSETS = frozenset({_T.ASSET_MATERIALIZATION, _T.ASSET_OBSERVATION, _T.ASSET_CHECK_EVALUATION})


def check_events(scope: StepScope, events: Sequence[Any]) -> None:
    """Raise `RefusedError` unless the caller's step may write every one of `events`."""
    if scope.capability.kind != "step":
        raise RefusedError("Only a step may write events.")
    for entry in events:
        _check_event(scope, entry)


def _check_event(scope: StepScope, entry: object) -> None:
    capability = scope.capability
    if not isinstance(entry, EventLogEntry):
        raise RefusedError("Only event log entries can be written.")
    if entry.run_id != capability.run_id:
        raise RefusedError("A step may not write another run's events.")
    if entry.step_key not in {None, capability.step_key}:
        raise RefusedError("A step may not write another step's events.")
    if entry.dagster_event is None:
        return  # a log line
    event = entry.dagster_event
    kind = event.event_type
    if kind not in STEP_EVENT_TYPES:
        raise RefusedError(
            f"A step may not write {kind.value}.",
            why="Events of runs, plans and the node are written by the control plane alone.",
        )
    if event.step_key != capability.step_key and not (event.step_key is None and kind in _WITHOUT_STEP_KEY):
        raise RefusedError(f"A step may not write {kind.value} for another step.")
    if kind in _ABOUT_ASSETS:
        _check_asset(scope, event)
    if kind is _T.LOGS_CAPTURED and event.event_specific_data is not None:
        _check_logs(scope, event.event_specific_data)


def _check_logs(scope: StepScope, data: Any) -> None:
    """The page of a run links to what this event names: it may name the step's own output, and no address."""
    addresses = (data.external_url, data.external_stdout_url, data.external_stderr_url, data.shell_cmd)
    if any(address is not None for address in addresses):
        raise RefusedError("A step may not say that its output lies elsewhere.")
    if "/" in data.file_key or any(key != scope.capability.step_key for key in data.step_keys):
        raise RefusedError("A step may not name the output of another.")


def _check_asset(scope: StepScope, event: Any) -> None:
    key = event.asset_key
    if key is None and event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
        key = event.asset_check_evaluation_data.asset_key
    if key is None or key.path[0] != scope.asset_prefix:
        name = key.to_user_string() if key else "without a key"
        raise RefusedError(
            f"This project has no asset {name}.",
            why=f"Its assets begin with {scope.asset_prefix!r}.",
            remedy=f'Give the asset key_prefix="{scope.asset_prefix}".',
            logged="This project has no such asset.",
        )
