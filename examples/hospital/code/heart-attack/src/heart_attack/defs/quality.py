"""A report on the data source for each day: on a schedule, and whenever the cohort is made anew."""

from datetime import UTC, datetime

import pandas as pd
from dagster import (
    AssetExecutionContext,
    AssetKey,
    DailyPartitionsDefinition,
    EventLogEntry,
    RunRequest,
    SensorEvaluationContext,
    asset,
    asset_sensor,
    build_schedule_from_partitioned_job,
    define_asset_job,
)

from heart_attack.quality import quality_of
from phems.project import DataSource

days = DailyPartitionsDefinition(start_date="2025-01-01", end_offset=1)


@asset(key_prefix="heart_attack", partitions_def=days, group_name="quality", kinds={"pandas"})
def daily_quality_report(context: AssetExecutionContext, whas500: DataSource) -> pd.DataFrame:
    """One row per column of the source: how many values, how many missing, how many out of range."""
    report = quality_of(whas500.pandas())
    context.add_output_metadata(
        {"day": context.partition_key, "out of range": int(report["out_of_range"].sum())}
    )
    return report


quality = define_asset_job("quality", selection=[daily_quality_report])

quality_every_morning = build_schedule_from_partitioned_job(
    quality, name="quality_every_morning", hour_of_day=5, minute_of_hour=30
)


@asset_sensor(asset_key=AssetKey(["heart_attack", "cohort"]), job=quality, minimum_interval_seconds=10)
def quality_after_cohort(context: SensorEvaluationContext, asset_event: EventLogEntry) -> RunRequest:
    """Ask for the report of the day on which the cohort was made."""
    day = datetime.fromtimestamp(asset_event.timestamp, tz=UTC).strftime("%Y-%m-%d")
    return RunRequest(run_key=context.cursor, partition_key=day)
