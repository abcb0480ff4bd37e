"""What a step tries through `context.instance`: Dagster's own methods, on what is not its own."""

from functools import partial

import dagster as dg
from dagster import AssetKey, AssetMaterialization, DagsterRunStatus, RunsFilter

from intruder import findings

WARD_ASSET = AssetKey(["ward", "patients"])


@dg.op(config_schema={"victim_run": str, "own_earlier_run": str})
def change_other_runs(context: dg.OpExecutionContext) -> None:
    """Everything that would change a run, an asset, a pool or a partition that is not this step's."""
    instance = context.instance
    victim = context.op_config["victim_run"]
    earlier = context.op_config["own_earlier_run"]
    runs, events, schedules = instance.run_storage, instance.event_log_storage, instance.schedule_storage
    assert schedules is not None
    mine = context.run_id
    findings.run(
        {
            "delete_run of the ward": partial(instance.delete_run, victim),
            "delete_run of itself": partial(instance.delete_run, mine),
            "delete_run of an earlier one": partial(instance.delete_run, earlier),
            "runs.delete_run": partial(runs.delete_run, victim),
            "add_run_tags of the ward": partial(instance.add_run_tags, victim, {"x": "y"}),
            "add_run_tags project": partial(instance.add_run_tags, mine, {"phems/project": "ward"}),
            "runs.add_run_tags": partial(runs.add_run_tags, mine, {"phems/requester": "olga"}),
            "add_run": partial(runs.add_run, context.run),
            "events.delete_events": partial(events.delete_events, victim),
            "wipe_assets": partial(instance.wipe_assets, [WARD_ASSET]),
            "wipe own assets": partial(instance.wipe_assets, [AssetKey(["intruder", "thing"])]),
            "events.wipe_asset": partial(events.wipe_asset, WARD_ASSET),
            "events.wipe": events.wipe,
            "runs.wipe": runs.wipe,
            "schedules.wipe": schedules.wipe,
            "set pool": partial(events.set_concurrency_slots, "ward", 0),
            "delete pool": partial(events.delete_concurrency_limit, "ward"),
            "free slots": partial(events.free_concurrency_slots_for_run, victim),
            "claim slot": partial(events.claim_concurrency_slot, "ward", victim, "count"),
            "add partitions": partial(instance.add_dynamic_partitions, "ward_days", ["1"]),
            "delete partition": partial(instance.delete_dynamic_partition, "ward_days", "1"),
            "handle_run_event": partial(runs.handle_run_event, victim, _run_event()),
            "set_cursor_values": partial(runs.set_cursor_values, {"run_status": "0"}),
            "add_backfill": partial(runs.add_backfill, None),
            "replace_job_origin": partial(runs.replace_job_origin, context.run, None),
            "add_daemon_heartbeat": partial(runs.add_daemon_heartbeat, None),
            "add_instigator_state": partial(schedules.add_instigator_state, None),
            "upgrade": instance.upgrade,
        }
    )


def _run_event() -> object:
    from dagster import DagsterEvent

    return DagsterEvent("PIPELINE_SUCCESS", "count_job", message="done")


@dg.op(config_schema={"victim_run": str})
def read_other_runs(context: dg.OpExecutionContext) -> None:
    """Everything that would tell something of another project."""
    instance = context.instance
    victim = context.op_config["victim_run"]
    runs, events, schedules = instance.run_storage, instance.event_log_storage, instance.schedule_storage
    assert schedules is not None
    findings.run(
        {
            "get_run_by_id": partial(instance.get_run_by_id, victim),
            "get_run_record_by_id": partial(instance.get_run_record_by_id, victim),
            "has_run": partial(instance.has_run, victim),
            "get_runs all": lambda: [run.run_id for run in instance.get_runs()],
            "get_runs by tag": lambda: [
                run.run_id for run in instance.get_runs(RunsFilter(tags={"phems/project": "ward"}))
            ],
            "get_runs_count": partial(
                instance.get_runs_count, RunsFilter(job_name="count_job", statuses=[DagsterRunStatus.SUCCESS])
            ),
            "get_run_group": partial(instance.get_run_group, victim),
            "own run group": lambda: [run.run_id for run in instance.get_run_group(context.run_id)[1]],
            "all_logs": lambda: list(instance.all_logs(victim)),
            "get_records_for_run": lambda: events.get_records_for_run(victim).records,
            "get_logs_for_run": lambda: list(events.get_logs_for_run(victim)),
            "asset keys": lambda: [key.to_user_string() for key in instance.all_asset_keys()],
            "asset keys by prefix": lambda: list(instance.get_asset_keys(prefix=["ward"])),
            "latest materialization": partial(instance.get_latest_materialization_event, WARD_ASSET),
            "materializations": lambda: instance.fetch_materializations(WARD_ASSET, limit=10).records,
            "asset records": lambda: list(instance.get_asset_records([WARD_ASSET])),
            "all asset records": lambda: [
                r.asset_entry.asset_key.path[0] for r in instance.get_asset_records()
            ],
            "event records": lambda: [
                r.run_id
                for r in instance.get_event_records(
                    dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION)
                )
            ],
            "status changes": lambda: [
                r.run_id
                for r in events.fetch_run_status_changes(dg.DagsterEventType.RUN_SUCCESS, limit=100).records
            ],
            "run tags": lambda: instance.get_run_tags(["phems/requester"]),
            "instigator state": schedules.all_instigator_state,
            "heartbeats": instance.get_daemon_heartbeats,
            "pools": events.get_concurrency_keys,
            "backfills": partial(runs.get_backfills, None),
            "ref": instance.get_ref,
            "partitions": partial(instance.get_dynamic_partitions, "ward_days"),
        }
    )


@dg.op
def launch_runs(context: dg.OpExecutionContext) -> None:
    """Starting runs from a step, past admission."""
    instance = context.instance
    other = dg.DagsterInstance
    findings.run(
        {
            "create_run": lambda: instance.create_run_for_job(report_job),
            "submit_run": lambda: instance.submit_run(context.run_id, None),
            "launch_run": lambda: instance.launch_run(context.run_id, None),
            "resume_run": lambda: instance.resume_run(context.run_id, None, 1),
            "execute_job": lambda: report_job.execute_in_process(instance=instance).run_id,
            "cancel itself": lambda: instance.report_run_canceled(context.run),
            "materialize report": lambda: instance.report_runless_asset_event(
                AssetMaterialization(["ward", "patients"])
            ),
            "instance from environment": lambda: other.get().run_storage.get_runs(),
        }
    )


@dg.op
def nothing() -> None:
    """Nothing."""


@dg.job
def report_job() -> None:
    """A job that a step would like to start."""
    nothing()


@dg.job
def change_other_runs_job() -> None:
    """See the op."""
    change_other_runs()


@dg.job
def read_other_runs_job() -> None:
    """See the op."""
    read_other_runs()


@dg.job
def launch_runs_job() -> None:
    """See the op."""
    launch_runs()


JOBS = [report_job, change_other_runs_job, read_other_runs_job, launch_runs_job]
