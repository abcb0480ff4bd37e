"""The storage service's allow-list: what a process of the project plane may ask, method by method.

One table, `RULES`: for each method of Dagster's run, event-log and schedule storage either a rule
that confines the call to the caller's project or `refuse`. A method that is not in the table is not
answered. A test fails when Dagster adds a method, so that somebody decides before anybody calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from dagster import AssetKey

from phems.contract.capability import Capability
from phems.engine._dagster import (
    AssetRecordsFilter,
    EventRecordsFilter,
    RunsFilter,
    as_dict,
)
from phems.engine.event_rules import check_events
from phems.engine.tags import PROJECT_TAG
from phems.errors import RefusedError

Arguments = dict[str, Any]


class Scope(Protocol):
    """Who calls, and what is theirs."""

    capability: Capability
    asset_prefix: str

    def owns_run(self, run_id: str) -> bool:
        """Whether the run belongs to the caller's project."""
        ...

    def own_runs(self, run_ids: Iterable[str]) -> set[str]:
        """Those of `run_ids` that belong to the caller's project."""
        ...

    def owns_job_snapshot(self, snapshot_id: str) -> bool:
        """Whether a run of the caller's project has this job snapshot."""
        ...

    def owns_plan_snapshot(self, snapshot_id: str) -> bool:
        """Whether it is the plan of the caller's own run."""
        ...


@dataclass(frozen=True)
class Rule:
    """`confine` checks and narrows the arguments; `keep` filters the result to what is the project's."""

    confine: Callable[[Scope, Arguments], None]
    keep: Callable[[Scope, Any], Any] | None = None


def _not_yours(what: str, name: object) -> RefusedError:
    # The same words whether it is another project's or does not exist: neither is to be learnt here.
    return RefusedError(f"This project has no {what} {name!s}.", logged=f"This project has no such {what}.")


def _refuse(_scope: Scope, _arguments: Arguments) -> None:
    raise RefusedError(
        "Project code may not call this method of the node's storage.",
        why="It reads or changes what belongs to the node or to other projects.",
    )


def _free(_scope: Scope, _arguments: Arguments) -> None:
    """Nothing to confine."""


def _own_run(scope: Scope, arguments: Arguments) -> None:
    if not scope.owns_run(arguments["run_id"]):
        raise _not_yours("run", arguments["run_id"])


def _own_runs_in(name: str) -> Callable[[Scope, Arguments], None]:
    def confine(scope: Scope, arguments: Arguments) -> None:
        given = arguments.get(name) or RunsFilter()
        tags = {**(given.tags or {}), PROJECT_TAG: scope.capability.project}
        arguments[name] = RunsFilter(**{**as_dict(given), "tags": tags})

    return confine


def is_own_asset(scope: Scope, key: AssetKey) -> bool:
    """Whether an asset key lies under the project's prefix."""
    return bool(key.path) and key.path[0] == scope.asset_prefix


def _require_asset(scope: Scope, key: AssetKey | None) -> None:
    if key is None or not is_own_asset(scope, key):
        raise _not_yours("asset", key.to_user_string() if key else "without a key")


def _own_asset(scope: Scope, arguments: Arguments) -> None:
    _require_asset(scope, arguments["asset_key"])


def _own_assets_in(name: str) -> Callable[[Scope, Arguments], None]:
    def confine(scope: Scope, arguments: Arguments) -> None:
        arguments[name] = list(arguments[name])
        for key in arguments[name]:
            # Keys of assets, and of checks, which name their asset.
            _require_asset(scope, getattr(key, "asset_key", key))

    return confine


def _own_check(scope: Scope, arguments: Arguments) -> None:
    _require_asset(scope, arguments["check_key"].asset_key)


def _own_asset_records(scope: Scope, arguments: Arguments) -> None:
    given = arguments["records_filter"]
    _require_asset(scope, given.asset_key if isinstance(given, AssetRecordsFilter) else given)


def _own_event_records(scope: Scope, arguments: Arguments) -> None:
    given = arguments["event_records_filter"]
    if not isinstance(given, EventRecordsFilter):
        raise RefusedError("get_event_records takes an EventRecordsFilter.")
    if given.asset_key is not None:
        _require_asset(scope, given.asset_key)


def _own_asset_or_run(scope: Scope, arguments: Arguments) -> None:
    if arguments.get("run_id") is not None:
        _own_run(scope, arguments)
    else:
        _require_asset(scope, arguments.get("asset_key"))


def owns_partitions(asset_prefix: str, name: str) -> bool:
    """Whether dynamic partitions of this name are the project's.

    The prefix ends at a slash, as in an asset key: `heart` must not own what `heart_attack` has.
    """
    return name.startswith(f"{asset_prefix}/")


def _own_partitions(scope: Scope, arguments: Arguments) -> None:
    name = arguments["partitions_def_name"]
    if not owns_partitions(scope.asset_prefix, name):
        raise RefusedError(
            f"This project has no dynamic partitions {name!r}.",
            why=f"Names of dynamic partitions begin with '{scope.asset_prefix}/' in this project.",
            remedy=f'Name the definition "{scope.asset_prefix}/{name}".',
            logged="This project has no such dynamic partitions.",
        )


def _own_job_snapshot(scope: Scope, arguments: Arguments) -> None:
    if not scope.owns_job_snapshot(arguments["job_snapshot_id"]):
        raise _not_yours("job snapshot", arguments["job_snapshot_id"])


def _own_plan_snapshot(scope: Scope, arguments: Arguments) -> None:
    if not scope.owns_plan_snapshot(arguments["execution_plan_snapshot_id"]):
        raise _not_yours("plan", arguments["execution_plan_snapshot_id"])


def _own_event(scope: Scope, arguments: Arguments) -> None:
    check_events(scope, [arguments["event"]])


def _own_events(scope: Scope, arguments: Arguments) -> None:
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


def _keep_own_group(scope: Scope, group: Any) -> Any:
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
_REFUSED = Rule(_refuse)
_RUN = Rule(_own_run)
_ASSET = Rule(_own_asset)
_RUNS = Rule(_own_runs_in("filters"))
_PARTITIONS = Rule(_own_partitions)
_RECORDS = Rule(_own_asset_records)

RUN_RULES: dict[str, Rule] = {
    "add_backfill": _REFUSED,
    "add_daemon_heartbeat": _REFUSED,
    "add_execution_plan_snapshot": _REFUSED,
    "add_historical_run": _REFUSED,
    "add_job_snapshot": _REFUSED,
    "add_run": _REFUSED,
    "add_run_tags": _REFUSED,
    "delete_run": _REFUSED,
    "get_backfill": _REFUSED,
    "get_backfills": _REFUSED,
    "get_backfills_count": _REFUSED,
    "get_cursor_values": _REFUSED,
    "get_daemon_heartbeats": _REFUSED,
    "get_execution_plan_snapshot": Rule(_own_plan_snapshot),
    "get_job_snapshot": Rule(_own_job_snapshot),
    "get_run_group": Rule(_own_run, _keep_own_group),
    "get_run_ids": _RUNS,
    "get_run_partition_data": Rule(_own_runs_in("runs_filter")),
    "get_run_records": _RUNS,
    "get_run_tag_keys": _REFUSED,
    "get_run_tags": _REFUSED,
    "get_runs": _RUNS,
    "get_runs_count": _RUNS,
    "handle_run_event": _REFUSED,
    "has_execution_plan_snapshot": Rule(_own_plan_snapshot),
    "has_job_snapshot": Rule(_own_job_snapshot),
    "has_run": _RUN,
    "replace_job_origin": _REFUSED,
    "set_cursor_values": _REFUSED,
    "update_backfill": _REFUSED,
    "wipe": _REFUSED,
    "wipe_daemon_heartbeats": _REFUSED,
}

EVENT_RULES: dict[str, Rule] = {
    "add_dynamic_partitions": _PARTITIONS,
    "all_asset_keys": Rule(_free, _keep_assets),
    "can_read_asset_status_cache": _REFUSED,
    "can_write_asset_status_cache": _REFUSED,
    "check_concurrency_claim": _REFUSED,
    "claim_concurrency_slot": _REFUSED,
    "delete_concurrency_limit": _REFUSED,
    "delete_dynamic_partition": _PARTITIONS,
    "delete_events": _REFUSED,
    "end_watch": _REFUSED,
    "fetch_failed_materializations": _RECORDS,
    "fetch_materializations": _RECORDS,
    "fetch_observations": _RECORDS,
    "fetch_run_status_changes": Rule(_free, _keep_own_results),
    "free_concurrency_slot_for_step": _REFUSED,
    "free_concurrency_slots_for_run": _REFUSED,
    "get_asset_check_execution_history": Rule(_own_check),
    "get_asset_check_partition_info": Rule(_own_assets_in("keys")),
    "get_asset_check_summary_records": Rule(_own_assets_in("asset_check_keys")),
    "get_asset_event_summary_records": Rule(_own_asset_or_run),
    "get_asset_partitions_for_run": _RUN,
    "get_asset_records": _ASSETS_OR_ALL,
    "get_concurrency_info": _REFUSED,
    "get_concurrency_keys": _REFUSED,
    "get_concurrency_run_ids": _REFUSED,
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
    "get_pool_limits": _REFUSED,
    "get_records_for_run": _RUN,
    "get_updated_data_version_partitions": _ASSET,
    "has_asset_key": _ASSET,
    "has_dynamic_partition": _PARTITIONS,
    "initialize_concurrency_limit_to_default": _REFUSED,
    "is_persistent": _REFUSED,
    "reindex_assets": _REFUSED,
    "reindex_events": _REFUSED,
    "set_concurrency_slots": _REFUSED,
    "store_event": Rule(_own_event),
    "store_event_batch": Rule(_own_events),
    "update_asset_cached_status_data": _REFUSED,
    "upgrade": _REFUSED,
    "watch": _REFUSED,
    "wipe": _REFUSED,
    "wipe_asset": _REFUSED,
    "wipe_asset_cached_status": _REFUSED,
    "wipe_asset_partitions": _REFUSED,
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
    _REFUSED,
)

RULES: dict[str, dict[str, Rule]] = {
    "runs": RUN_RULES,
    "events": EVENT_RULES,
    "schedules": SCHEDULE_RULES,
}
