"""Sensors and schedules that ask the daemon for what is not the project's."""

from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.run_request import DagsterRunReaction
from dagster._core.definitions.sensor_definition import SensorExecutionData

from intruder.tag_probes import plain_job

WARD = dg.AssetKey(["ward", "patients"])
TOLD = Path("/artifacts/told")


class Lying(dg.SensorDefinition):
    """A sensor whose answer is whatever its maker says, past Dagster's own checks."""

    answer = staticmethod(lambda context: SensorExecutionData())

    def evaluate_tick(self, context: dg.SensorEvaluationContext) -> SensorExecutionData:
        """Answer."""
        return self.answer(context)


def _lying(name: str, answer: object) -> dg.SensorDefinition:
    sensor = Lying(name=name, job=plain_job, evaluation_fn=lambda _: None, minimum_interval_seconds=600)
    sensor.answer = answer  # type: ignore[assignment]
    return sensor


@dg.sensor(job=plain_job, minimum_interval_seconds=600)
def reserved_tags(_context: dg.SensorEvaluationContext) -> dg.RunRequest:
    """A run with the node's own tags."""
    return dg.RunRequest(run_key="reserved", tags={"phems/requester": "olga", "phems/project": "ward"})


@dg.sensor(minimum_interval_seconds=600)
def foreign_asset_events(_context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """An event of the ward's asset."""
    return dg.SensorResult(asset_events=[dg.AssetMaterialization(WARD, metadata={"forged": True})])


@dg.sensor(minimum_interval_seconds=600)
def foreign_partitions(_context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """A partition of the ward's."""
    partitions = dg.DynamicPartitionsDefinition(name="ward/days")
    return dg.SensorResult(dynamic_partitions_requests=[partitions.build_add_request(["forged"])])


def _reaction(context: dg.SensorEvaluationContext) -> SensorExecutionData:
    victim = dg.DagsterRun(job_name="count_job", run_id=TOLD.read_text())
    return SensorExecutionData(
        dagster_run_reactions=[DagsterRunReaction(dagster_run=victim, run_status=dg.DagsterRunStatus.SUCCESS)]
    )


def _log_key(context: dg.SensorEvaluationContext) -> SensorExecutionData:
    return SensorExecutionData(
        skip_message="look at my log", log_key=[TOLD.read_text(), "compute_logs", "count-1"]
    )


def _backfill(context: dg.SensorEvaluationContext) -> SensorExecutionData:
    subset = AssetGraphSubset(non_partitioned_asset_keys={WARD})
    return SensorExecutionData(run_requests=[dg.RunRequest.for_asset_graph_subset(subset, {})])


SENSORS = [
    reserved_tags,
    foreign_asset_events,
    foreign_partitions,
    _lying("foreign_reaction", _reaction),
    _lying("foreign_log", _log_key),
    _lying("foreign_backfill", _backfill),
]


@dg.schedule(job=plain_job, cron_schedule="* * * * *")
def reserved_tags_schedule() -> dg.RunRequest:
    """A run with a tag of a pod."""
    return dg.RunRequest(tags={"dagster-k8s/config": "{}"})
