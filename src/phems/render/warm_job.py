"""The Job of a pod that waits for a step, and its Secret: a step's own, but for its name, labels and time.

Its labels name no run: what run it is for is not known when it is made, and who makes Jobs may not change
them. The attempt's log names the Job.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phems.nodespec import NodeSpec
from phems.nodespec.kubernetes import DEFAULT_SIZE
from phems.render.project_pods import PROJECT_LABEL, cluster_of, label_value
from phems.render.step_job import JobFacts, job_of, node_labels, secret_of_job

WORKER_LABEL = "phems/worker"
WARM_LABEL = "phems/warm"
WARM = {WARM_LABEL: "true"}
_DIGEST = 26


@dataclass(frozen=True)
class WarmPlace:
    """Whose pod waits, with which code, and for how long at most before a step is its own."""

    name: str
    worker: str
    project: str
    code_digest: str
    most_seconds: int


def warm_name(worker: str, project: str, number: int) -> str:
    """The name of a worker's warm Job: of each number there is one, whatever answers are lost."""
    digest = hashlib.sha256(json.dumps([worker, project, number]).encode()).hexdigest()[:_DIGEST]
    return f"warm-{digest}"


def warm_job(spec: NodeSpec, place: WarmPlace, command: Sequence[str]) -> dict[str, Any]:
    """The Job. Its deadline holds its wait and a whole step; the worker keeps to that of the step alone."""
    cluster = cluster_of(spec)
    facts = JobFacts(
        name=place.name,
        project=place.project,
        code_digest=place.code_digest,
        size=DEFAULT_SIZE,
        labels=_labels(spec, place),
        annotations={},
        active_deadline_seconds=place.most_seconds + cluster.active_deadline_seconds,
    )
    return job_of(spec, facts, command)


def warm_secret(spec: NodeSpec, place: WarmPlace, job_uid: str, files: Mapping[str, str]) -> dict[str, Any]:
    """The Secret that the pod waits for; the cluster deletes it with the Job."""
    meta = {
        "name": place.name,
        "namespace": cluster_of(spec).namespace_of(place.project),
        "labels": _labels(spec, place),
    }
    return secret_of_job(meta, job_uid, files)


def _labels(spec: NodeSpec, place: WarmPlace) -> dict[str, str]:
    return {
        **node_labels(spec),
        PROJECT_LABEL: label_value(place.project),
        WORKER_LABEL: label_value(place.worker),
        **WARM,
    }
