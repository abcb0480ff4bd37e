"""What may be asked of Dagster's storages, method by method, and with what of a project.

One table, `RULES`: for each method of Dagster's run, event-log and schedule storage either a rule
that confines the call to what the scope owns or `refuse`. It is the storage service's allow-list, for
processes of the project plane; `people_rules` has that of people, made of the same rules. A method that is
in no table is not answered. A test fails when Dagster adds a method, so that somebody decides before
anybody calls it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from dagster import AssetKey

from phems.engine._dagster import (
    AssetRecordsFilter,
    EventRecordsFilter,
    RunsFilter,
    as_dict,
)
from phems.engine.event_rules import StepScope, check_events
from phems.engine.tags import PROJECT_TAG
from phems.errors import RefusedError

Arguments = dict[str, Any]


class Scope(Protocol):
    """Who calls, and what is theirs: one project for a process of the project plane, several for a person."""

    @property
    def projects(self) -> Collection[str]:
        """The projects whose things are the caller's."""
        ...

    @property
    def asset_prefixes(self) -> Collection[str]:
        """The first parts of those projects' asset keys."""
        ...

    def owns_run(self, run_id: str) -> bool:
        """Whether the run belongs to one of the caller's projects."""
        ...

    def own_runs(self, run_ids: Iterable[str]) -> set[str]:
        """Those of `run_ids` that belong to the caller's projects."""
        ...

    def owns_job_snapshot(self, snapshot_id: str) -> bool:
        """Whether a run of the caller's projects has this job snapshot."""
        ...

    def owns_plan_snapshot(self, snapshot_id: str) -> bool:
        """Whether it is the plan of a run that is the caller's own, or was shown to them."""
        ...


@dataclass(frozen=True)
class Rule:
    """`confine` checks and narrows the arguments; `keep` filters the result to what is the caller's.

    `absent` is what people are told of what is not theirs: the answer that Dagster gives about a thing that
    does not exist. Without it, as always for project code, they are refused.
    """

    confine: Callable[[Any, Arguments], None]
    keep: Callable[[Any, Any], Any] | None = None
    absent: Callable[[Arguments], Any] | None = None


def bound(storage: Any, method: str, args: Iterable[Any], kwargs: Arguments) -> Arguments:
    """The call's arguments by name, as the rules read them; TypeError when they do not fit the method."""
    call = _signature(storage.__class__, method).bind(storage, *args, **kwargs)
    call.apply_defaults()
    _itself, *arguments = call.arguments.items()
    return dict(arguments)


@cache
def _signature(storage: Hashable, method: str) -> inspect.Signature:
    return inspect.signature(getattr(storage, method))


def not_yours(what: str, name: object) -> RefusedError:
    # The same words whether it is another project's or does not exist: neither is to be learnt here.
    return RefusedError(f"This project has no {what} {name!s}.", logged=f"This project has no such {what}.")


def refuse(_scope: Scope, _arguments: Arguments) -> None:
    raise RefusedError(
        "This method of the node's storage may not be called from here.",
        why="It reads or changes what belongs to the node or to other projects.",
    )


def free(_scope: Scope, _arguments: Arguments) -> None:
    """Nothing to confine."""


def own_run(scope: Scope, arguments: Arguments) -> None:
    if not scope.owns_run(arguments["run_id"]):
        raise not_yours("run", arguments["run_id"])


def _own_runs_in(name: str) -> Callable[[Scope, Arguments], None]:
    def confine(scope: Scope, arguments: Arguments) -> None:
        given = arguments.get(name) or RunsFilter()
        tags = {**(given.tags or {}), PROJECT_TAG: own_of(scope, (given.tags or {}).get(PROJECT_TAG))}
        arguments[name] = RunsFilter(**{**as_dict(given), "tags": tags})

    return confine


def own_of(scope: Scope, asked: str | Sequence[str] | None) -> str | list[str]:
    """The projects to look in: those that are asked for, as far as they are the caller's; without, all."""
    wanted = scope.projects if asked is None else {asked} if isinstance(asked, str) else set(asked)
    own = sorted(set(wanted) & set(scope.projects))
    return own[0] if len(own) == 1 else own


def is_own_asset(scope: Scope, key: AssetKey) -> bool:
    """Whether an asset key lies under the prefix of one of the caller's projects."""
    return bool(key.path) and key.path[0] in scope.asset_prefixes


def require_asset(scope: Scope, key: AssetKey | None) -> None:
    if key is None or not is_own_asset(scope, key):
        raise not_yours("asset", key.to_user_string() if key else "without a key")


def _own_asset(scope: Scope, arguments: Arguments) -> None:
    require_asset(scope, arguments["asset_key"])


def _own_assets_in(name: str) -> Callable[[Scope, Arguments], None]:
    def confine(scope: Scope, arguments: Arguments) -> None:
        arguments[name] = list(arguments[name])
        for key in arguments[name]:
            # Keys of assets, and of checks, which name their asset.
            require_asset(scope, getattr(key, "asset_key", key))

    return confine


def _own_check(scope: Scope, arguments: Arguments) -> None:
    require_asset(scope, arguments["check_key"].asset_key)


def _own_asset_records(scope: Scope, arguments: Arguments) -> None:
    given = arguments["records_filter"]
    require_asset(scope, given.asset_key if isinstance(given, AssetRecordsFilter) else given)


def _own_event_records(scope: Scope, arguments: Arguments) -> None:
    given = arguments["event_records_filter"]
    if not isinstance(given, EventRecordsFilter):
        raise RefusedError("get_event_records takes an EventRecordsFilter.")
    if given.asset_key is not None:
        require_asset(scope, given.asset_key)


def _own_asset_or_run(scope: Scope, arguments: Arguments) -> None:
    if arguments.get("run_id") is not None:
        own_run(scope, arguments)
    else:
        require_asset(scope, arguments.get("asset_key"))


def owns_partitions(asset_prefix: str, name: str) -> bool:
    """Whether dynamic partitions of this name are the project's.

    The prefix ends at a slash, as in an asset key: `heart` must not own what `heart_attack` has.
    """
    return name.startswith(f"{asset_prefix}/")


def _own_partitions(scope: Scope, arguments: Arguments) -> None:
    name = arguments["partitions_def_name"]
    if not any(owns_partitions(prefix, name) for prefix in scope.asset_prefixes):
        prefix = " or ".join(sorted(scope.asset_prefixes))
        raise RefusedError(
            f"This project has no dynamic partitions {name!r}.",
            why=f"Names of dynamic partitions begin with '{prefix}/' in this project.",
            remedy=f'Name the definition "{prefix}/{name}".',
            logged="This project has no such dynamic partitions.",
        )


def _own_job_snapshot(scope: Scope, arguments: Arguments) -> None:
    if not scope.owns_job_snapshot(arguments["job_snapshot_id"]):
        raise not_yours("job snapshot", arguments["job_snapshot_id"])


def _own_plan_snapshot(scope: Scope, arguments: Arguments) -> None:
    if not scope.owns_plan_snapshot(arguments["execution_plan_snapshot_id"]):
        raise not_yours("plan", arguments["execution_plan_snapshot_id"])


def _own_event(scope: StepScope, arguments: Arguments) -> None:
    check_events(scope, [arguments["event"]])


def _own_events(scope: StepScope, arguments: Arguments) -> None:
    check_events(scope, arguments["events"])


def _keep_assets(scope: Scope, keys: Any) -> Any:
    return [key for key in keys if is_own_asset(scope, key)]


def _keep_asset_records(scope: Scope, records: Any) -> Any:
    return [record for record in records if is_own_asset(scope, record.asset_entry.asset_key)]


def _keep_own_event_records(scope: Scope, records: Any) -> Any:
    own = scope.own_runs({record.run_id for record in records})
    return [
        record
        for record in records
        if record.run_id in own or (record.asset_key is not None and is_own_asset(scope, record.asset_key))
    ]


def keep_own_group(scope: Scope, group: Any) -> Any:
    # Who launches a run may name any run as its root.
    root_run_id, runs = group
    own = scope.own_runs({run.run_id for run in runs})
    return root_run_id, [run for run in runs if run.run_id in own]


def _keep_own_results(scope: Scope, result: Any) -> Any:
    return result._replace(records=_keep_own_event_records(scope, result.records))


_ASSETS_OR_ALL = Rule(
    lambda scope, a: _own_assets_in("asset_keys")(scope, a) if a.get("asset_keys") is not None else None,
    _keep_asset_records,
)
REFUSED = Rule(refuse)
_RUN = Rule(own_run)
_ASSET = Rule(_own_asset)
_RUNS = Rule(_own_runs_in("filters"))
_PARTITIONS = Rule(_own_partitions)
_RECORDS = Rule(_own_asset_records)

RUN_RULES: dict[str, Rule] = {
    "add_backfill": REFUSED,
    "add_daemon_heartbeat": REFUSED,
    "add_execution_plan_snapshot": REFUSED,
    "add_historical_run": REFUSED,
    "add_job_snapshot": REFUSED,
    "add_run": REFUSED,
    "add_run_tags": REFUSED,
    "delete_run": REFUSED,
    "get_backfill": REFUSED,
    "get_backfills": REFUSED,
    "get_backfills_count": REFUSED,
    "get_cursor_values": REFUSED,
    "get_daemon_heartbeats": REFUSED,
    "get_execution_plan_snapshot": Rule(_own_plan_snapshot),
    "get_job_snapshot": Rule(_own_job_snapshot),
    "get_run_group": Rule(own_run, keep_own_group),
    "get_run_ids": _RUNS,
    "get_run_partition_data": Rule(_own_runs_in("runs_filter")),
    "get_run_records": _RUNS,
    "get_run_tag_keys": REFUSED,
    "get_run_tags": REFUSED,
    "get_runs": _RUNS,
    "get_runs_count": _RUNS,
    "handle_run_event": REFUSED,
    "has_execution_plan_snapshot": Rule(_own_plan_snapshot),
    "has_job_snapshot": Rule(_own_job_snapshot),
    "has_run": _RUN,
    "replace_job_origin": REFUSED,
    "set_cursor_values": REFUSED,
    "update_backfill": REFUSED,
    "wipe": REFUSED,
    "wipe_daemon_heartbeats": REFUSED,
}

EVENT_RULES: dict[str, Rule] = {
    "add_dynamic_partitions": _PARTITIONS,
    "all_asset_keys": Rule(free, _keep_assets),
    "can_read_asset_status_cache": REFUSED,
    "can_write_asset_status_cache": REFUSED,
    "check_concurrency_claim": REFUSED,
    "claim_concurrency_slot": REFUSED,
    "delete_concurrency_limit": REFUSED,
    "delete_dynamic_partition": _PARTITIONS,
    "delete_events": REFUSED,
    "end_watch": REFUSED,
    "fetch_failed_materializations": _RECORDS,
    "fetch_materializations": _RECORDS,
    "fetch_observations": _RECORDS,
    "fetch_run_status_changes": Rule(free, _keep_own_results),
    "free_concurrency_slot_for_step": REFUSED,
    "free_concurrency_slots_for_run": REFUSED,
    "get_asset_check_execution_history": Rule(_own_check),
    "get_asset_check_partition_info": Rule(_own_assets_in("keys")),
    "get_asset_check_summary_records": Rule(_own_assets_in("asset_check_keys")),
    "get_asset_event_summary_records": Rule(_own_asset_or_run),
    "get_asset_partitions_for_run": _RUN,
    "get_asset_records": _ASSETS_OR_ALL,
    "get_concurrency_info": REFUSED,
    "get_concurrency_keys": REFUSED,
    "get_concurrency_run_ids": REFUSED,
    "get_dynamic_partitions": _PARTITIONS,
    "get_event_records": Rule(_own_event_records, _keep_own_event_records),
    "get_event_tags_for_asset": _ASSET,
    "get_freshness_state_records": Rule(_own_assets_in("keys")),
    "get_latest_asset_check_execution_by_key": Rule(_own_assets_in("check_keys")),
    "get_latest_asset_partition_materialization_attempts_without_materializations": _ASSET,
    "get_latest_materialization_events": Rule(_own_assets_in("asset_keys")),
    "get_latest_planned_materialization_info": _ASSET,
    "get_latest_storage_id_by_partition": _ASSET,
    "get_latest_tags_by_partition": _ASSET,
    "get_materialized_partitions": _ASSET,
    "get_paginated_dynamic_partitions": _PARTITIONS,
    "get_pool_limits": REFUSED,
    "get_records_for_run": _RUN,
    "get_updated_data_version_partitions": _ASSET,
    "has_asset_key": _ASSET,
    "has_dynamic_partition": _PARTITIONS,
    "initialize_concurrency_limit_to_default": REFUSED,
    "is_persistent": REFUSED,
    "reindex_assets": REFUSED,
    "reindex_events": REFUSED,
    "set_concurrency_slots": REFUSED,
    "store_event": Rule(_own_event),
    "store_event_batch": Rule(_own_events),
    "update_asset_cached_status_data": REFUSED,
    "upgrade": REFUSED,
    "watch": REFUSED,
    "wipe": REFUSED,
    "wipe_asset": REFUSED,
    "wipe_asset_cached_status": REFUSED,
    "wipe_asset_partitions": REFUSED,
}

# Schedules, sensors and automation are evaluated by project code but kept by the daemon alone.
SCHEDULE_RULES: dict[str, Rule] = dict.fromkeys(
    (
        "add_auto_materialize_asset_evaluations",
        "add_instigator_state",
        "all_instigator_state",
        "create_tick",
        "delete_instigator_state",
        "get_auto_materialize_asset_evaluations",
        "get_auto_materialize_evaluations_for_evaluation_id",
        "get_instigator_state",
        "get_tick",
        "get_tick_summaries",
        "get_ticks",
        "get_ticks_by_ids",
        "purge_asset_evaluations",
        "purge_ticks",
        "update_instigator_state",
        "update_tick",
        "upgrade",
        "wipe",
    ),
    REFUSED,
)

RULES: dict[str, dict[str, Rule]] = {
    "runs": RUN_RULES,
    "events": EVENT_RULES,
    "schedules": SCHEDULE_RULES,
}
