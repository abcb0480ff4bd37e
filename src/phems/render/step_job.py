"""The Kubernetes Job of one step attempt, and the Secret with its capability: pure, from the node spec.

What a pod is comes from node.yaml alone; of the attempt it has its name, its code's digest and the size that
node.yaml gives its step. Its one Secret holds its capability, and goes with the Job.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phems.nodespec import NodeSpec
from phems.render.project_pods import (
    NODE_LABEL,
    PROJECT_LABEL,
    SECRET,
    PodFacts,
    cluster_of,
    label_value,
    project_pod,
    secret_of,
)

CONTAINER = "step"
STEP_COMMAND = ("python3", "-P", "-m", "phems.host", "--step", SECRET)
"""What an image of steps can execute. -P: nothing of the code's folder stands in for the node's own."""

LABELS: Mapping[str, str] = {
    "app.kubernetes.io/name": "phems-step",
    "app.kubernetes.io/managed-by": "phems",
}
RUN_LABEL, ATTEMPT_LABEL = "phems/run", "phems/attempt"
STEP_ANNOTATION = "phems/step"
MANIFEST_ANNOTATION = "phems/manifest"
POD_ANNOTATIONS: Mapping[str, str] = {
    # A machine that is only half used is not emptied under a step that has run for a day.
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}
# A pod that fails is not replaced: whether an attempt is followed by another is the node's to say.
FAILURE_RULES: Sequence[Mapping[str, Any]] = (
    {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    {"action": "FailJob", "onExitCodes": {"containerName": CONTAINER, "operator": "NotIn", "values": [0]}},
)
_SLUG = 30
_DIGEST = 26


@dataclass(frozen=True)
class StepAttempt:
    """Which attempt of which step, of which code."""

    project: str
    code_digest: str
    run_id: str
    step_key: str
    attempt: int


def job_name(run_id: str, step_key: str, attempt: int) -> str:
    """The one name that the Job of an attempt has: a second one cannot be created.

    It shows the op's name, and not the key of a dynamic output: that is made of data.
    """
    op = step_key.partition("[")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", op.lower())[:_SLUG].strip("-")
    digest = hashlib.sha256(json.dumps([run_id, step_key, attempt]).encode()).hexdigest()[:_DIGEST]
    return "-".join(filter(None, ("step", slug, digest)))


@dataclass(frozen=True)
class JobFacts:
    """What one Job has of its own; the rest of it is the same for all of a project's."""

    name: str
    project: str
    code_digest: str
    size: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    active_deadline_seconds: int


def step_job(spec: NodeSpec, attempt: StepAttempt, command: Sequence[str]) -> dict[str, Any]:
    """The Job: `command` is what the image is to execute."""
    facts = JobFacts(
        name=job_name(attempt.run_id, attempt.step_key, attempt.attempt),
        project=attempt.project,
        code_digest=attempt.code_digest,
        size=spec.project(attempt.project).kubernetes.size_of(attempt.step_key),
        labels=labels_of(spec, attempt),
        annotations={STEP_ANNOTATION: attempt.step_key.partition("[")[0]},
        active_deadline_seconds=cluster_of(spec).active_deadline_seconds,
    )
    return job_of(spec, facts, command)


def job_of(spec: NodeSpec, facts: JobFacts, command: Sequence[str]) -> dict[str, Any]:
    """A Job of one pod that executes `command`, once."""
    cluster = cluster_of(spec)
    pod = PodFacts(
        project=facts.project,
        size=cluster.sizes[facts.size],
        container=CONTAINER,
        command=command,
        secret=facts.name,
        volume="capability",
        restart="Never",
        code_digest=facts.code_digest,
        writes_artifacts=True,
    )
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": facts.name,
            "namespace": cluster.namespace_of(facts.project),
            "labels": dict(facts.labels),
            "annotations": dict(facts.annotations),
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": copy.deepcopy(list(FAILURE_RULES))},
            "activeDeadlineSeconds": facts.active_deadline_seconds,
            "ttlSecondsAfterFinished": cluster.ttl_seconds,
            "template": {
                "metadata": {"labels": dict(facts.labels), "annotations": dict(POD_ANNOTATIONS)},
                "spec": project_pod(spec, pod),
            },
        },
    }
    job["metadata"]["annotations"][MANIFEST_ANNOTATION] = _digest_of(job)  # type: ignore[index]
    return job


def step_secret(
    spec: NodeSpec, attempt: StepAttempt, job_uid: str, files: Mapping[str, str]
) -> dict[str, Any]:
    """The Secret that the pod waits for; the cluster deletes it with the Job."""
    meta = {
        "name": job_name(attempt.run_id, attempt.step_key, attempt.attempt),
        "namespace": cluster_of(spec).namespace_of(attempt.project),
        "labels": labels_of(spec, attempt),
    }
    return secret_of_job(meta, job_uid, files)


def secret_of_job(meta: Mapping[str, Any], job_uid: str, files: Mapping[str, str]) -> dict[str, Any]:
    """The Secret of the Job that has this name, namespace and labels."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": job_uid}
    owned = {**meta, "ownerReferences": [{**owner, "controller": True}]}
    return secret_of(owned, files, immutable=True)


def labels_of(spec: NodeSpec, attempt: StepAttempt) -> dict[str, str]:
    """The labels of an attempt's objects."""
    return {
        **node_labels(spec),
        PROJECT_LABEL: label_value(attempt.project),
        RUN_LABEL: label_value(attempt.run_id),
        ATTEMPT_LABEL: str(attempt.attempt),
    }


def node_labels(spec: NodeSpec) -> dict[str, str]:
    """The labels that every object of the node's steps has."""
    return {**LABELS, NODE_LABEL: label_value(spec.node.name)}


def _digest_of(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:_DIGEST]
