"""How people's questions to Dagster's storages are confined and answers filtered: parts of `people_rules`.

Each function either checks and narrows a call's arguments, filters its result, or gives the answer that
Dagster gives about a thing that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol

from phems.engine import storage_rules as rules
from phems.engine._dagster import (
    BulkActionsFilter,
    ConcurrencyKeyInfo,
    DagsterEventType,
    DagsterInvariantViolationError,
    DagsterRunNotFoundError,
    EventLogConnection,
    EventRecordsResult,
    PaginatedResults,
    as_dict,
)
from phems.engine.storage_rules import Arguments, Rule, Scope
from phems.engine.tags import PROJECT_TAG


class PersonScope(Scope, Protocol):
    """A person's projects, and what of their things this request has shown already."""

    @property
    def sees_all(self) -> bool:
        """Whether the person sees the whole node: then no rule but the refused ones holds."""
        ...

    def owns_instigator(self, selector_id: str | None) -> bool:
        """Whether a schedule or sensor with this selector belongs to the person's projects."""
        ...

    def owns_backfill(self, backfill_id: str) -> bool:
        """Whether the backfill belongs to the person's projects."""
        ...

    def has_shown(self, runs: Iterable[Any]) -> None:
        """Remember runs of the person's own: what they name (snapshots, plans) is the person's to see."""
        ...

    def has_shown_snapshot(self, snapshot_id: str) -> None:
        """Remember a job snapshot that one of the person's own names as its parent."""
        ...


def none(_arguments: Arguments) -> None:
    return None


def false(_arguments: Arguments) -> bool:
    return False


def empty_list(_arguments: Arguments) -> list[Any]:
    return []


def empty_dict(_arguments: Arguments) -> dict[Any, Any]:
    return {}


def empty_set(_arguments: Arguments) -> set[Any]:
    return set()


def no_records(_arguments: Arguments) -> EventRecordsResult:
    return EventRecordsResult([], "", has_more=False)


def no_events(_arguments: Arguments) -> EventLogConnection:
    return EventLogConnection([], "", has_more=False)


def no_partitions(_arguments: Arguments) -> PaginatedResults[str]:
    return PaginatedResults(results=[], cursor="", has_more=False)


def no_pool(arguments: Arguments) -> ConcurrencyKeyInfo:
    return ConcurrencyKeyInfo(
        concurrency_key=arguments["concurrency_key"], slot_count=0, claimed_slots=[], pending_steps=[]
    )


def no_run(arguments: Arguments) -> Any:
    run_id = arguments["run_id"]
    raise DagsterRunNotFoundError(  # type: ignore[no-untyped-call]
        f"Run {run_id} was not found in instance.", invalid_run_id=run_id
    )


def keep_shown(run_of: Callable[[Any], Any]) -> Callable[[PersonScope, Any], Any]:
    def keep(scope: PersonScope, found: Any) -> Any:
        scope.has_shown(run_of(one) for one in found)
        return found

    return keep


def keep_group(scope: PersonScope, group: Any) -> Any:
    kept = rules.keep_own_group(scope, group)
    scope.has_shown(kept[1])
    return kept


def keep_job_snapshot(scope: PersonScope, snapshot: Any) -> Any:
    if snapshot.lineage_snapshot is not None:
        scope.has_shown_snapshot(snapshot.lineage_snapshot.parent_snapshot_id)
    return snapshot


def of_projects(scope: Scope, arguments: Arguments) -> None:
    arguments["projects"] = sorted(scope.projects)


def own_backfills(scope: Scope, arguments: Arguments) -> None:
    given = arguments.get("filters") or BulkActionsFilter()
    if (status := arguments.pop("status", None)) is not None:
        given = _changed(given, statuses=[status])
    own = rules.own_of(scope, (given.tags or {}).get(PROJECT_TAG))
    arguments["filters"] = _changed(given, tags={**(given.tags or {}), PROJECT_TAG: own})


def _changed(filters: BulkActionsFilter, **parts: Any) -> BulkActionsFilter:
    # One of Dagster's records, which looks like a dataclass to the type checker and is none.
    return BulkActionsFilter(**{**as_dict(filters), **parts})


def own_backfill(scope: PersonScope, arguments: Arguments) -> None:
    if not scope.owns_backfill(arguments["backfill_id"]):
        raise rules.not_yours("backfill", arguments["backfill_id"])


def given_backfill(scope: Scope, arguments: Arguments) -> None:
    # The instance has stamped it with the project of what it would make.
    backfill = arguments["partition_backfill"]
    if backfill.tags.get(PROJECT_TAG) not in scope.projects:
        raise rules.not_yours("backfill", backfill.backfill_id)


def own_backfill_given(scope: PersonScope, arguments: Arguments) -> None:
    given_backfill(scope, arguments)
    own_backfill(scope, {"backfill_id": arguments["partition_backfill"].backfill_id})


_READABLE_SETTINGS = frozenset({"ASSET_DAEMON_PAUSED"})


def readable_settings(scope: Scope, arguments: Arguments) -> None:
    if not set(arguments["keys"]) <= _READABLE_SETTINGS:
        rules.refuse(scope, arguments)


def keep_beats(_scope: Scope, heartbeats: Mapping[str, Any]) -> dict[str, Any]:
    # That a daemon is alive is everyone's to know; its errors quote what it did for other projects.
    return {kind: beat._replace(errors=[]) for kind, beat in heartbeats.items()}


_CANCELLED = frozenset({DagsterEventType.PIPELINE_CANCELING, DagsterEventType.PIPELINE_CANCELED})
_ENGINE = DagsterEventType.ENGINE_EVENT


def own_end(scope: Scope, arguments: Arguments) -> None:
    """Of a run's events a person writes the two of cancelling it, and Dagster's note that this failed."""
    event = arguments["event"]
    run_id = arguments.get("run_id") or event.run_id
    written: Any = getattr(event, "dagster_event", event)
    if written is None or written.event_type not in _CANCELLED | {_ENGINE} or not scope.owns_run(run_id):
        raise rules.not_yours("run", run_id)


def narrow_keys(name: str) -> Rule:
    def confine(scope: Scope, arguments: Arguments) -> None:
        if arguments[name] is not None:
            arguments[name] = [
                key for key in arguments[name] if rules.is_own_asset(scope, getattr(key, "asset_key", key))
            ]

    return Rule(confine)


def narrow_assets(scope: Scope, arguments: Arguments) -> None:
    narrow_keys("asset_keys").confine(scope, arguments)


def own_key(scope: Scope, arguments: Arguments) -> None:
    key = arguments["key"]
    rules.require_asset(scope, getattr(key, "asset_key", key))


def keep_keyed(scope: Scope, records: Any) -> Any:
    return [one for one in records if rules.is_own_asset(scope, getattr(one.key, "asset_key", one.key))]


def keep_own_runs(scope: Scope, run_ids: Any) -> set[str]:
    return scope.own_runs(run_ids)


def project_of_state(state: Any) -> str:
    origin = state.origin.repository_origin.code_location_origin
    return str(origin.location_name)


def own_state(projects: Collection[str], state: Any) -> bool:
    """Whether the state of a schedule or sensor is of one of the projects."""
    return project_of_state(state) in projects


def given_state(scope: Scope, arguments: Arguments) -> None:
    if not own_state(scope.projects, arguments["state"]):
        raise rules.not_yours("schedule or sensor", arguments["state"].instigator_name)


def keep_states(scope: Scope, states: Any) -> Any:
    return [state for state in states if own_state(scope.projects, state)]


def keep_state(scope: Scope, state: Any) -> Any:
    return state if state is not None and own_state(scope.projects, state) else None


def own_instigator(scope: PersonScope, arguments: Arguments) -> None:
    if not scope.owns_instigator(arguments["selector_id"]):
        raise rules.not_yours("schedule or sensor", arguments["selector_id"])


def narrow_instigators(scope: PersonScope, arguments: Arguments) -> None:
    arguments["selector_ids"] = [one for one in arguments["selector_ids"] if scope.owns_instigator(one)]


def keep_ticks(scope: PersonScope, ticks: Any) -> Any:
    return [tick for tick in ticks if tick is not None and scope.owns_instigator(tick.selector_id)]


def keep_tick(scope: PersonScope, tick: Any) -> Any:
    if not scope.owns_instigator(tick.selector_id):
        # In Dagster's words for a tick that does not exist.
        raise DagsterInvariantViolationError(f"InstigatorTick {tick.tick_id} is not present in storage")
    return tick
