"""The study as one job."""

from dagster import AssetSelection, define_asset_job

analysis = define_asset_job(
    "analysis",
    selection=AssetSelection.groups("survival", "release"),
    description="From the cohort to the three files that may be released.",
)
