"""What a project's sensors and schedules may ask of the daemon: their own project's, and nothing else.

A tick is evaluated by project code, and the daemon then does what the answer says with the node's own
rights: it reports asset events, changes partitions, writes to the logs of runs, starts backfills. So
each part of an answer is checked first, by the table `_PARTS`; an answer with one foreign part is
refused as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import AssetCheckKey, AssetKey

from phems.engine.storage_rules import owns_partitions
from phems.errors import RefusedError


@dataclass(frozen=True)
class TickScope:
    """Whose tick it is. `owns_run` says whether a run is the project's; `log_key` is the tick's own."""

    project: str
    asset_prefix: str
    owns_run: Callable[[str], bool]
    log_key: Sequence[str] | None


def check_answer(scope: TickScope, answer: Any) -> None:
    """Raise `RefusedError` unless every part of a sensor's or schedule's answer is the project's own."""
    for name, check in _PARTS.items():
        parts = getattr(answer, name, None)
        if parts:
            check(scope, parts)


def _check_keys(scope: TickScope, keys: Iterable[AssetKey | AssetCheckKey]) -> None:
    for key in keys:
        asset = key.asset_key if isinstance(key, AssetCheckKey) else key
        if not isinstance(asset, AssetKey) or not asset.path or asset.path[0] != scope.asset_prefix:
            raise RefusedError(
                f"A sensor or schedule of {scope.project} names what is not its own: {key}.",
                why=f"The assets of this project begin with {scope.asset_prefix!r}.",
                logged=f"A sensor or schedule of {scope.project} names what is not its own.",
            )


def _check_run_requests(scope: TickScope, requests: Iterable[Any]) -> None:
    for request in requests:
        _check_keys(scope, request.asset_selection or ())
        _check_keys(scope, request.asset_check_keys or ())
        if request.asset_graph_subset is not None:
            _check_keys(scope, request.asset_graph_subset.asset_keys)


def _check_asset_events(scope: TickScope, events: Iterable[Any]) -> None:
    _check_keys(scope, (event.asset_key for event in events))


def _check_partitions(scope: TickScope, requests: Iterable[Any]) -> None:
    for request in requests:
        if not owns_partitions(scope.asset_prefix, request.partitions_def_name):
            raise RefusedError(
                f"A sensor of {scope.project} asks for partitions of {request.partitions_def_name!r}.",
                why=f"Names of dynamic partitions begin with '{scope.asset_prefix}/' in this project.",
                logged=f"A sensor of {scope.project} asks for partitions that are not its own.",
            )


def _check_reactions(scope: TickScope, reactions: Iterable[Any]) -> None:
    for reaction in reactions:
        run = reaction.dagster_run
        if run is not None and not scope.owns_run(run.run_id):
            raise RefusedError(f"A sensor of {scope.project} reacts to a run that is not the project's.")


def _check_evaluations(scope: TickScope, evaluations: Iterable[Any]) -> None:
    _check_keys(scope, (evaluation.key for evaluation in evaluations))


def _check_log_key(scope: TickScope, log_key: Sequence[str]) -> None:
    # The page of a tick shows the log of this name: it could be that of any run of the node.
    if list(log_key) != list(scope.log_key or ()):
        raise RefusedError(f"A sensor or schedule of {scope.project} names another log than its own.")


_PARTS: dict[str, Callable[[TickScope, Any], None]] = {
    "run_requests": _check_run_requests,
    "asset_events": _check_asset_events,
    "dynamic_partitions_requests": _check_partitions,
    "dagster_run_reactions": _check_reactions,
    "automation_condition_evaluations": _check_evaluations,
    "log_key": _check_log_key,
}
