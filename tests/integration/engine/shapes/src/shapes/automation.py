"""What starts by itself: schedules, sensors, automation conditions; and what steps ask of their instance."""

from collections.abc import Iterator

import dagster as dg

from phems.contract.runtime import current_runtime

PREFIX = "shapes"
DRAWERS = dg.DynamicPartitionsDefinition(name="shapes/drawers")


@dg.op(config_schema={"asked_by": str})
def notes(context: dg.OpExecutionContext) -> None:
    folder = current_runtime().artifact_dir
    (folder / f"noted-{context.op_config['asked_by']}").write_text(context.run_id)


@dg.job
def noting() -> None:
    notes()


def asked_by(name: str) -> dict[str, object]:
    """Run config that says who asked."""
    return {"ops": {"notes": {"config": {"asked_by": name}}}}


@dg.schedule(cron_schedule="* * * * *", job=noting)
def every_minute(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    assert context.scheduled_execution_time
    return dg.RunRequest(run_config=asked_by("schedule"))


@dg.sensor(job=noting, minimum_interval_seconds=1)
def once(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask once, and look at the instance and at its own cursor."""
    if context.cursor:
        return dg.SkipReason("asked already")
    seen = context.instance.get_runs_count()
    materialized = context.instance.get_latest_materialization_event(dg.AssetKey([PREFIX, "source"]))
    if materialized is not None:
        assert materialized.get_dagster_event().asset_key == dg.AssetKey([PREFIX, "source"])
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key="only", run_config=asked_by("sensor"))], cursor=str(seen + 1)
    )


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS, monitored_jobs=[noting], minimum_interval_seconds=1
)
def after_noting(context: dg.RunStatusSensorContext) -> dg.SkipReason:
    """Look at the run that ended, through the instance, and leave a mark."""
    folder = current_runtime().artifact_dir
    run = context.instance.get_run_by_id(context.dagster_run.run_id)
    assert run is not None
    (folder / "status-sensor").write_text(f"{run.run_id} {run.status.value}")
    return dg.SkipReason("seen")


@dg.asset(key_prefix=PREFIX)
def root() -> int:
    return 1


@dg.asset(key_prefix=PREFIX, automation_condition=dg.AutomationCondition.eager())
def eager(root: int) -> int:
    return root + 1


@dg.asset(key_prefix=PREFIX, partitions_def=DRAWERS)
def by_drawer(context: dg.AssetExecutionContext) -> str:
    return context.partition_key


@dg.op(out=dg.Out(dg.Nothing))
def materializes(context: dg.OpExecutionContext) -> Iterator[object]:
    yield dg.AssetMaterialization(asset_key=[PREFIX, "by_hand"], metadata={"rows": 7})
    yield dg.Output(None)


@dg.op(ins={"after": dg.In(dg.Nothing)})
def asks_its_instance(context: dg.OpExecutionContext) -> None:
    """What an author may reasonably ask of `context.instance`, all of it about their own project."""
    instance = context.instance
    key = dg.AssetKey([PREFIX, "by_hand"])
    answers: dict[str, object] = {}
    answers["run"] = instance.get_run_by_id(context.run_id).job_name
    answers["runs"] = context.run_id in {run.run_id for run in instance.get_runs(limit=50)}
    answers["records"] = instance.get_run_record_by_id(context.run_id).dagster_run.run_id == context.run_id
    answers["by_tag"] = [
        run.run_id for run in instance.get_runs(dg.RunsFilter(tags={"asked": context.run_tags["asked"]}))
    ] == [context.run_id]
    latest = instance.get_latest_materialization_event(key)
    answers["latest"] = latest.asset_materialization.metadata["rows"].value
    answers["fetched"] = len(instance.fetch_materializations(key, limit=1).records)
    answers["asset"] = instance.get_asset_records([key])[0].asset_entry.asset_key == key
    answers["has_asset"] = instance.has_asset_key(key)
    answers["keys"] = key in instance.get_asset_keys()
    answers["own_events"] = "materializes" in {e.step_key for e in instance.all_logs(context.run_id)}
    instance.add_dynamic_partitions("shapes/drawers", ["top", "bottom"])
    answers["partitions"] = sorted(instance.get_dynamic_partitions("shapes/drawers"))
    answers["has_partition"] = instance.has_dynamic_partition("shapes/drawers", "top")
    instance.delete_dynamic_partition("shapes/drawers", "bottom")
    answers["left"] = list(instance.get_dynamic_partitions("shapes/drawers"))
    answers["materialized_partitions"] = sorted(
        instance.get_materialized_partitions(dg.AssetKey([PREFIX, "by_letter"]))
    )
    for name, answer in answers.items():
        context.log.info("%s=%s", name, answer)


@dg.job(tags={"asked": "once"})
def asking() -> None:
    asks_its_instance(after=materializes())


letters = dg.define_asset_job("for_backfill", dg.AssetSelection.keys([PREFIX, "by_letter"]))
assets = [root, eager, by_drawer]
jobs = [noting, asking, letters]
schedules = [every_minute]
sensors = [
    once,
    after_noting,
    dg.AutomationConditionSensorDefinition(
        "automation", target=dg.AssetSelection.keys([PREFIX, "eager"]), minimum_interval_seconds=1
    ),
]
