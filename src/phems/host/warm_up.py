"""Warming up: paying once, before any fork, what every step would pay again.

Steps of our own, with nothing of the project in them, are run to their end in the host's process; whatever
Dagster imports, compiles or caches at first use is then shared by every fork. Their events go nowhere.
"""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import dagster as dg

from phems.host._dagster import (
    DagsterRun,
    GrpcServerCodeLocationOrigin,
    InMemoryJob,
    ReconstructableRepository,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    RetryMode,
    create_execution_plan,
    deserialize_value,
    execute_plan_iterator,
    serialize_value,
)
from phems.host.instance import WallInstance
from phems.host.storages import discard_events
from phems.project.io import ProjectIOManager, default_io_manager


@dg.op(out=dg.DynamicOut(int), retry_policy=dg.RetryPolicy(max_retries=1))
def _several() -> Any:
    yield dg.DynamicOutput(1, "one")


@dg.op
def _one(number: int) -> int:
    return number


@dg.op
def _all(numbers: list[int]) -> int:
    return len(numbers)


# Every way that a step's input can come about: Dagster compiles a class for each at its first use.
# The IO manager that a node gives by default, for what it imports when it is made and when it writes.
@dg.job(
    resource_defs={"io_manager": ProjectIOManager.configure_at_launch()}, executor_def=dg.in_process_executor
)
def _job() -> None:
    several = _several()
    _all.alias("of_dynamic")(several.map(_one).collect())
    _all([_one.alias("first")(), _one.alias("second")()])


_OWN_CONFIG = {"ops": {name: {"inputs": {"number": 1}} for name in ("first", "second")}}
_OWN_STEPS = ["_several", "first", "second", "_all"]


def warm_up(repository: ReconstructableRepository) -> None:
    """Run steps of our own, and build what Dagster derives from each job of the project."""
    with TemporaryDirectory() as folder:
        _run_own_steps({**_OWN_CONFIG, "resources": {"io_manager": {"config": {"base_dir": folder}}}})
    definition = repository.get_definition()
    for job_definition in definition.get_all_jobs():
        # Cached on the definition; no project code runs for it.
        _ = job_definition.run_config_schema


def _run_own_steps(run_config: dict[str, Any]) -> None:
    run = deserialize_value(serialize_value(_own_run(run_config)), DagsterRun)
    job = InMemoryJob(_job)
    plan = create_execution_plan(job, run_config=run_config, step_keys_to_execute=_OWN_STEPS, tags={})
    with (
        discard_events(),
        WallInstance() as instance,
        dg.build_resources({"io_manager": default_io_manager}, instance=instance),  # as Dagster makes it
    ):
        events = execute_plan_iterator(
            plan, job, run, instance, retry_mode=RetryMode.DEFERRED, run_config=run_config
        )
        for event in events:
            serialize_value(event)


def _own_run(run_config: dict[str, Any]) -> DagsterRun:
    # With an origin, as every run of a node has one.
    location = GrpcServerCodeLocationOrigin(host="localhost", socket="none", location_name="none")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "_job")
    return DagsterRun(job_name="_job", run_id=str(uuid4()), run_config=run_config, remote_job_origin=origin)
