"""What an OpenLineage event is made of (OpenLineage 2-0-2): its frame, and its facets with their schemas.

Plain data: tests hold the official facets against the classes of OpenLineage's own client, and the node's own
against `docs/reference/lineage-facets.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from phems.domain.release_packages import time_text

EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_OFFICIAL = "https://openlineage.io/spec/facets"
OWN_SCHEMA = "urn:phems:lineage-facets:1"
"""The `$id` of the schema of the node's own facets."""

# The key of a facet in an event -> the version and the name of its schema.
_FACETS: Mapping[str, tuple[str, str]] = {
    "columnLineage": ("1-2-0", "ColumnLineageDatasetFacet"),
    "errorMessage": ("1-0-1", "ErrorMessageRunFacet"),
    "jobType": ("2-0-4", "JobTypeJobFacet"),
    "nominalTime": ("1-0-1", "NominalTimeRunFacet"),
    "outputStatistics": ("1-0-2", "OutputStatisticsOutputDatasetFacet"),
    "parent": ("1-2-0", "ParentRunFacet"),
    "processing_engine": ("1-1-1", "ProcessingEngineRunFacet"),
    "schema": ("1-2-0", "SchemaDatasetFacet"),
    "sourceCodeLocation": ("1-1-0", "SourceCodeLocationJobFacet"),
    "version": ("1-0-1", "DatasetVersionDatasetFacet"),
}
_OWN = {
    "phems_approval": "ApprovalJobFacet",
    "phems_capsule": "CapsuleRunFacet",
    "phems_release": "ReleaseRunFacet",
}

ENDS = {"SUCCESS": "COMPLETE", "FAILURE": "FAIL", "CANCELED": "ABORT"}
"""Dagster's word for how a run ended -> OpenLineage's."""


def schema_of(key: str) -> str:
    """Where the schema of a facet is; KeyError for one that is not in the tables."""
    if key in _OWN:
        return f"{OWN_SCHEMA}#/$defs/{_OWN[key]}"
    version, name = _FACETS[key]
    return f"{_OFFICIAL}/{version}/{name}.json#/$defs/{name}"


def producer_of(tool_version: str) -> str:
    """What OpenLineage calls the producer of an event: this software, in this version."""
    return f"urn:phems:tool:phems-node:{tool_version}"


class Producer:
    """Makes events and parts of them, each with the name of who made it, as the specification asks."""

    def __init__(self, tool_version: str) -> None:
        self.name = producer_of(tool_version)

    def facets(self, **given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Facets by their keys; one that is None is left out."""
        return {
            key: {"_producer": self.name, "_schemaURL": schema_of(key), **values}
            for key, values in given.items()
            if values is not None
        }

    def dataset(self, namespace: str, name: str, *, version: str | None) -> dict[str, Any]:
        """A dataset in one version."""
        facets = self.facets(version={"datasetVersion": version} if version is not None else None)
        return {"namespace": namespace, "name": name, "facets": facets}

    def event(
        self,
        kind: str,
        at: datetime,
        *,
        run: Mapping[str, Any],
        job: Mapping[str, Any],
        inputs: Sequence[Mapping[str, Any]] = (),
        outputs: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """A run event. `kind` is START, COMPLETE, FAIL, ABORT or OTHER."""
        return {
            "eventType": kind,
            "eventTime": time_text(at),
            "producer": self.name,
            "schemaURL": EVENT_SCHEMA,
            "run": run,
            "job": job,
            "inputs": list(inputs),
            "outputs": list(outputs),
        }


def code_location(commit: str | None) -> dict[str, Any] | None:
    """The commit by its SWHID (ISO/IEC 18670), which names it without saying where the repository lies."""
    if commit is None:
        return None
    return {"type": "git", "url": f"swh:1:rev:{commit}", "version": commit}
