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
from phems.domain.openlineage import ENDS, Producer, code_location
from phems.domain.release_facts import ReleaseFacts, RunProvenance
from phems.domain.release_packages import package_paths


def lineage_of(facts: ReleaseFacts) -> bytes:
    """`lineage.ndjson`: the events of all runs, each run's in order of time."""
    return b"".join(canonical(event) + b"\n" for run in facts.runs for event in _events(facts, run))


def _events(facts: ReleaseFacts, run: RunProvenance) -> Iterator[dict[str, Any]]:
    times = run.times
    started = (times.started_at if times else None) or run.admitted_at or facts.request.requested_at
    yield _event(facts, run, "START", started)
    if times and times.ended_at:
        yield _event(facts, run, ENDS.get(times.status, "OTHER"), times.ended_at)


def _event(facts: ReleaseFacts, run: RunProvenance, kind: str, at: datetime) -> dict[str, Any]:
    by, namespace = Producer(facts.node.tool_version), f"phems://{facts.node.node}/{facts.request.project}"
    paths = package_paths(facts.files)
    return by.event(
        kind,
        at,
        run={"runId": run.uuid, "facets": {}},
        job={
            "namespace": namespace,
            "name": run.origin.capsule or f"run:{run.origin.run_id}",
            "facets": by.facets(sourceCodeLocation=code_location(run.origin.commit)),
        },
        inputs=[
            by.dataset(f"phems://{facts.node.node}", name, version=version)
            for name, version in sorted(run.data.items())
        ],
        outputs=[
            by.dataset(f"{namespace}/{facts.request.id}", paths[file.path], version=f"sha256:{file.sha256}")
            for file in facts.files
            if file.run_id == run.origin.run_id
        ],
    )
