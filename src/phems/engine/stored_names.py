"""Names of Dagster's own that are stored with its runs."""

from __future__ import annotations

ASSET_JOB = "__ASSET_JOB"
"""What Dagster calls the job of a run that was launched for assets; more of them have a number behind it."""
PARTITION_TAG = "dagster/partition"
