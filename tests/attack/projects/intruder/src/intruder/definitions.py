"""A project that was approved and should not have been."""

import dagster as dg

from intruder import (
    output_probes,
    sandbox_probes,
    sensor_probes,
    storage_probes,
    stubborn,
    tag_probes,
    wire_probes,
)

MODULES = (output_probes, sandbox_probes, storage_probes, stubborn, tag_probes, wire_probes)


@dg.asset(key_prefix="intruder")
def thing() -> None:
    """An asset of its own."""


defs = dg.Definitions(
    assets=[thing],
    jobs=[job for module in MODULES for job in module.JOBS],
    sensors=sensor_probes.SENSORS,
    schedules=[sensor_probes.reserved_tags_schedule],
)
