"""OpenLineage events of the runs that released files come from (OpenLineage 2-0-2), one JSON object a line.

Each run gives an event for its start, and one for its end when the engine has it on record. A job is what the
run capsule names: two runs with one capsule ran the same code on the same data in the same way. Jobs' own
names, steps and assets stay in the node (see `phems.domain.release_facts`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from phems.domain.canonical import canonical
from phems.domain.release_facts import ReleaseFacts, RunProvenance
from phems.domain.release_packages import package_paths, time_text

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_CODE_FACET = f"{_FACETS}/1-1-0/SourceCodeLocationJobFacet.json#/$defs/SourceCodeLocationJobFacet"
_VERSION_FACET = f"{_FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"

# Dagster's word for how a run ended -> OpenLineage's.
_ENDS = {"SUCCESS": "COMPLETE", "FAILURE": "FAIL", "CANCELED": "ABORT"}


def lineage_of(facts: ReleaseFacts) -> bytes:
    """`lineage.ndjson`: the events of all runs, each run's in order of time."""
    return b"".join(canonical(event) + b"\n" for run in facts.runs for event in _events(facts, run))


def producer_of(facts: ReleaseFacts) -> str:
    """What OpenLineage calls the producer of an event: this software, in this version."""
    return f"urn:phems:tool:phems-node:{facts.node.tool_version}"


def _events(facts: ReleaseFacts, run: RunProvenance) -> Iterator[dict[str, Any]]:
    times = run.times
    started = (times.started_at if times else None) or run.admitted_at or facts.request.requested_at
    yield _event(facts, run, "START", started)
    if times and times.ended_at:
        yield _event(facts, run, _ENDS.get(times.status, "OTHER"), times.ended_at)


def _event(facts: ReleaseFacts, run: RunProvenance, kind: str, at: datetime) -> dict[str, Any]:
    producer, namespace = producer_of(facts), f"phems://{facts.node.node}/{facts.request.project}"
    paths = package_paths(facts.files)
    return {
        "eventType": kind,
        "eventTime": time_text(at),
        "producer": producer,
        "schemaURL": SCHEMA,
        "run": {"runId": run.uuid, "facets": {}},
        "job": {
            "namespace": namespace,
            "name": run.origin.capsule or f"run:{run.origin.run_id}",
            "facets": _code(producer, run),
        },
        "inputs": [
            {"namespace": f"phems://{facts.node.node}", "name": name, "facets": _version(producer, version)}
            for name, version in sorted(run.data.items())
        ],
        "outputs": [
            {
                "namespace": f"{namespace}/{facts.request.id}",
                "name": paths[file.path],
                "facets": _version(producer, f"sha256:{file.sha256}"),
            }
            for file in facts.files
            if file.run_id == run.origin.run_id
        ],
    }


def _code(producer: str, run: RunProvenance) -> dict[str, Any]:
    """The commit by its SWHID (ISO/IEC 18670), which names it without saying where the repository lies."""
    commit = run.origin.commit
    if commit is None:
        return {}
    facet = {"type": "git", "url": f"swh:1:rev:{commit}", "version": commit}
    return {"sourceCodeLocation": {"_producer": producer, "_schemaURL": _CODE_FACET, **facet}}


def _version(producer: str, version: str) -> dict[str, Any]:
    return {"version": {"_producer": producer, "_schemaURL": _VERSION_FACET, "datasetVersion": version}}
