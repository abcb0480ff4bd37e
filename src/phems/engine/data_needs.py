"""Which data sources a run needs, read from what its code location declares; no project code is run.

A project declares a data source as a top-level resource of the type `DataSource`; Dagster's snapshot
of the location says its configured source and which assets and jobs use it.
"""

from __future__ import annotations

import json
from typing import Any

from phems.engine._dagster import DagsterRun

DATA_SOURCE_TYPE = "phems.project.data_source.DataSource"
_SOURCE_FIELD = "source"


def needed_sources(workspace: Any, run: DagsterRun) -> frozenset[str]:
    """The names of the data sources that the run's assets and ops declare."""
    origin = run.remote_job_origin
    if workspace is None or origin is None or not workspace.has_code_location(origin.location_name):
        return frozenset()
    location = workspace.get_code_location(origin.location_name)
    repository = location.get_repository(origin.repository_origin.repository_name)
    selected = run.asset_selection or {
        node.asset_key for node in repository.get_asset_node_snaps(run.job_name)
    }
    return frozenset(
        source
        for resource in repository.get_resources()
        if resource.resource_type == DATA_SOURCE_TYPE
        and _is_used(resource, run.job_name, selected)
        and (source := _configured_source(resource)) is not None
    )


def _is_used(resource: Any, job_name: str, selected: Any) -> bool:
    if any(key in selected for key in resource.asset_keys_using):
        return True
    # Dagster counts an asset as an op of every job that holds it: with a selection, assets decide.
    return not selected and any(entry.job_name == job_name for entry in resource.job_ops_using)


def _configured_source(resource: Any) -> str | None:
    value = resource.configured_values.get(_SOURCE_FIELD)
    if not isinstance(value, str):
        return None
    decoded = json.loads(value)
    return decoded if isinstance(decoded, str) else None
