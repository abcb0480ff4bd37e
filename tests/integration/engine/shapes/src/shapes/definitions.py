"""All job shapes in one project."""

import dagster as dg

from phems.project import ProjectIOManager
from shapes import assets, automation, dataflow, failures, processes

defs = dg.Definitions(
    assets=[*assets.assets, *automation.assets],
    asset_checks=assets.checks,
    jobs=[*dataflow.jobs, *failures.jobs, *assets.jobs, *processes.jobs, *automation.jobs],
    schedules=automation.schedules,
    sensors=automation.sensors,
    resources={"io_manager": ProjectIOManager()},
)
