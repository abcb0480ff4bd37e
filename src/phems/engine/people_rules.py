"""What people may ask of Dagster's storages through its UI and GraphQL: the other allow-list over them.

`PEOPLE_RULES` has a row for each method, made of the rules of `storage_rules` where a person's question
is the same as a step's. What is not a person's own looks as if it did not exist (`Rule.absent`); a list is
narrowed to what is. Who sees the whole node (operators, auditors) is held to no rule but the refused rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from phems.engine import people_confined as confined
from phems.engine.storage_rules import REFUSED, RULES, Arguments, Rule, Scope, free, own_run, refuse


def _beyond_projects(scope: Scope, arguments: Arguments) -> None:
    refuse(scope, arguments)


# For who sees the whole node alone: nobody else's scope lets it pass.
NODE_WIDE = Rule(_beyond_projects)
FREE = Rule(free)


def _or(rule: Rule, absent: Callable[[Arguments], Any]) -> Rule:
    return replace(rule, absent=absent)


_R, _E = RULES["runs"], RULES["events"]

RUN_RULES: dict[str, Rule] = {
    **dict.fromkeys(_R, REFUSED),
    "add_backfill": Rule(confined.given_backfill),
    "get_backfill": _or(Rule(confined.own_backfill), confined.none),
    "get_backfills": Rule(confined.own_backfills),
    "get_backfills_count": Rule(confined.own_backfills),
    "get_cursor_values": Rule(confined.readable_settings),
    "get_daemon_heartbeats": Rule(free, confined.keep_beats),
    "get_execution_plan_snapshot": _R["get_execution_plan_snapshot"],
    "get_job_snapshot": replace(_R["get_job_snapshot"], keep=confined.keep_job_snapshot),
    "get_run_group": Rule(_R["get_run_group"].confine, confined.keep_group, confined.no_run),
    "get_run_ids": _R["get_run_ids"],
    "get_run_partition_data": _R["get_run_partition_data"],
    "get_run_records": replace(
        _R["get_run_records"], keep=confined.keep_shown(lambda record: record.dagster_run)
    ),
    "get_run_tag_keys": Rule(confined.of_projects),
    "get_run_tags": Rule(confined.of_projects),
    "get_runs": replace(_R["get_runs"], keep=confined.keep_shown(lambda run: run)),
    "get_runs_count": _R["get_runs_count"],
    "handle_run_event": Rule(confined.own_end),
    "has_execution_plan_snapshot": _or(_R["has_execution_plan_snapshot"], confined.false),
    "has_job_snapshot": _or(_R["has_job_snapshot"], confined.false),
    "has_run": _or(_R["has_run"], confined.false),
    "set_cursor_values": NODE_WIDE,
    "update_backfill": Rule(confined.own_backfill_given),
}

EVENT_RULES: dict[str, Rule] = {
    **dict.fromkeys(_E, REFUSED),
    "add_dynamic_partitions": _E["add_dynamic_partitions"],
    "all_asset_keys": _E["all_asset_keys"],
    "can_read_asset_status_cache": FREE,
    "can_write_asset_status_cache": FREE,
    "delete_concurrency_limit": NODE_WIDE,
    "delete_dynamic_partition": _E["delete_dynamic_partition"],
    # Ends what `watch` let begin; it names the handler, which nobody else has.
    "end_watch": FREE,
    "fetch_failed_materializations": _or(_E["fetch_failed_materializations"], confined.no_records),
    "fetch_materializations": _or(_E["fetch_materializations"], confined.no_records),
    "fetch_observations": _or(_E["fetch_observations"], confined.no_records),
    "fetch_run_status_changes": _E["fetch_run_status_changes"],
    "free_concurrency_slots_for_run": NODE_WIDE,
    "get_asset_check_execution_history": _or(_E["get_asset_check_execution_history"], confined.empty_list),
    "get_asset_check_partition_info": confined.narrow_keys("keys"),
    "get_asset_check_summary_records": confined.narrow_keys("asset_check_keys"),
    "get_asset_event_summary_records": _or(_E["get_asset_event_summary_records"], confined.empty_list),
    "get_asset_partitions_for_run": _or(_E["get_asset_partitions_for_run"], confined.empty_dict),
    "get_asset_records": Rule(confined.narrow_assets, _E["get_asset_records"].keep),
    # Pools are the node's, and their names and queues tell what others do.
    "get_concurrency_info": _or(NODE_WIDE, confined.no_pool),
    "get_concurrency_infos": _or(NODE_WIDE, confined.empty_dict),
    "get_concurrency_keys": _or(NODE_WIDE, confined.empty_set),
    "get_concurrency_run_ids": Rule(free, confined.keep_own_runs),
    "get_dynamic_partitions": _or(_E["get_dynamic_partitions"], confined.empty_list),
    "get_event_records": _or(_E["get_event_records"], confined.empty_list),
    "get_event_tags_for_asset": _or(_E["get_event_tags_for_asset"], confined.empty_list),
    "get_existing_dynamic_partitions": _or(_E["get_dynamic_partitions"], confined.empty_set),
    "get_freshness_state_records": confined.narrow_keys("keys"),
    "get_latest_asset_check_execution_by_key": confined.narrow_keys("check_keys"),
    "get_latest_asset_partition_materialization_attempts_without_materializations": _or(
        _E["get_latest_asset_partition_materialization_attempts_without_materializations"],
        confined.empty_dict,
    ),
    "get_latest_materialization_events": confined.narrow_keys("asset_keys"),
    "get_latest_planned_materialization_info": _or(
        _E["get_latest_planned_materialization_info"], confined.none
    ),
    "get_latest_storage_id_by_partition": _or(_E["get_latest_storage_id_by_partition"], confined.empty_dict),
    "get_latest_tags_by_partition": _or(_E["get_latest_tags_by_partition"], confined.empty_dict),
    "get_logs_for_all_runs_by_log_id": REFUSED,
    "get_materialized_partitions": _or(_E["get_materialized_partitions"], confined.empty_set),
    # How many events the whole node has had, and nothing of them.
    "get_maximum_record_id": FREE,
    "get_paginated_dynamic_partitions": _or(_E["get_paginated_dynamic_partitions"], confined.no_partitions),
    "get_pool_limits": _or(NODE_WIDE, confined.empty_list),
    "get_records_for_run": _or(_E["get_records_for_run"], confined.no_events),
    "get_stats_for_run": Rule(own_run),
    "get_step_stats_for_run": _or(Rule(own_run), confined.empty_list),
    "get_updated_data_version_partitions": _or(_E["get_updated_data_version_partitions"], confined.empty_set),
    "has_asset_key": _or(_E["has_asset_key"], confined.false),
    "has_dynamic_partition": _or(_E["has_dynamic_partition"], confined.false),
    "set_concurrency_slots": NODE_WIDE,
    "store_event": Rule(confined.own_end),
    # What Dagster has worked out of an asset's history, kept beside it.
    "update_asset_cached_status_data": _E["has_asset_key"],
    "watch": Rule(own_run),
    "wipe_asset_cached_status": _E["has_asset_key"],
}

SCHEDULE_RULES: dict[str, Rule] = {
    **dict.fromkeys(RULES["schedules"], REFUSED),
    "add_instigator_state": Rule(confined.given_state),
    "all_instigator_state": Rule(free, confined.keep_states),
    "delete_instigator_state": Rule(confined.own_instigator),
    "get_auto_materialize_asset_evaluations": _or(Rule(confined.own_key), confined.empty_list),
    "get_auto_materialize_evaluations_for_evaluation_id": Rule(free, confined.keep_keyed),
    "get_batch_ticks": Rule(confined.narrow_instigators),
    "get_instigator_state": Rule(free, confined.keep_state),
    "get_tick": Rule(free, confined.keep_tick),
    "get_tick_summaries": _or(Rule(confined.own_instigator), confined.empty_list),
    "get_ticks": _or(Rule(confined.own_instigator), confined.empty_list),
    "get_ticks_by_ids": Rule(free, confined.keep_ticks),
    "update_instigator_state": Rule(confined.given_state),
}

PEOPLE_RULES: dict[str, dict[str, Rule]] = {
    "runs": RUN_RULES,
    "events": EVENT_RULES,
    "schedules": SCHEDULE_RULES,
}
