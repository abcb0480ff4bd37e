"""The Kubernetes Job of one step attempt, and the Secret with its capability: pure, from the node spec.

What a pod is comes from node.yaml alone; of the attempt it has its name, its code's digest and the size that
node.yaml gives its step. The pod keeps to the Pod Security Standard "restricted", has no token of the
cluster, no name service, and no secret but its capability: a file of one Secret, which goes with the Job.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phems.errors import InputError
from phems.nodespec import NodeSpec
from phems.nodespec.kubernetes import JobSize, Kubernetes
from phems.nodespec.kubernetes_names import LABEL_VALUE

CONTAINER = "step"
CODE = "/code"
ARTIFACTS = "/artifacts"
DATA = "/data"
CAPABILITY = "/run/phems"
TMP = "/tmp"  # noqa: S108 (the pod's own)
STEP_COMMAND = ("python3", "-P", "-m", "phems.host", "--step", CAPABILITY)
"""What an image of steps can execute. -P: nothing of the code's folder stands in for the node's own."""
GRACE_SECONDS = 10
"""Between SIGTERM and SIGKILL: a step that is cancelled may tidy up."""

LABELS: Mapping[str, str] = {
    "app.kubernetes.io/name": "phems-step",
    "app.kubernetes.io/managed-by": "phems",
}
NODE_LABEL, PROJECT_LABEL, RUN_LABEL, ATTEMPT_LABEL = (
    "phems/node",
    "phems/project",
    "phems/run",
    "phems/attempt",
)
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
# Nobody's name is looked up: the storage service is reached by its address, and nothing else is.
NO_NAMES: Mapping[str, Any] = {
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["127.0.0.1"], "options": [{"name": "attempts", "value": "1"}]},
}
ENVIRONMENT: Mapping[str, str] = {
    "HOME": TMP,
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": f"{TMP}/matplotlib",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "DAGSTER_DISABLE_TELEMETRY": "1",
}
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
                "spec": _pod(spec, cluster, facts, command),
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
    return secret_of(meta, job_uid, files)


def secret_of(meta: Mapping[str, Any], job_uid: str, files: Mapping[str, str]) -> dict[str, Any]:
    """The Secret of the Job that has this name, namespace and labels."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": job_uid}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**meta, "ownerReferences": [{**owner, "controller": True}]},
        "type": "Opaque",
        "immutable": True,
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in files.items()},
    }


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


def label_value(text: str) -> str:
    """A text as the value of a label: itself where a cluster takes it, else its digest."""
    if text and re.fullmatch(LABEL_VALUE, text, re.ASCII) is not None:
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


def cluster_of(spec: NodeSpec) -> Kubernetes:
    """The cluster that the node spec describes."""
    if spec.kubernetes is None:
        raise InputError(
            "The node spec describes no cluster.",
            why="There is no section kubernetes in node.yaml.",
            remedy="Write it; phems check says what is missing.",
        )
    return spec.kubernetes


def _digest_of(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:_DIGEST]


def _pod(spec: NodeSpec, cluster: Kubernetes, facts: JobFacts, command: Sequence[str]) -> dict[str, Any]:
    project = spec.project(facts.project)
    size = cluster.sizes[facts.size]
    volumes, mounts = _volumes(cluster, facts, size)
    variables = {**project.environment.variables, **ENVIRONMENT}
    container = {
        "name": CONTAINER,
        "image": project.kubernetes.image or cluster.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [literal(word) for word in command],
        "workingDir": CODE,
        "env": [{"name": name, "value": literal(value)} for name, value in sorted(variables.items())],
        "resources": {"requests": amounts(size.requests), "limits": amounts(size.limits)},
        "volumeMounts": mounts,
        "securityContext": container_security(),
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        **copy.deepcopy(dict(NO_NAMES)),
        "securityContext": pod_security(cluster),
        **placed(cluster),
        "containers": [container],
        "volumes": volumes,
    }


def pod_security(cluster: Kubernetes) -> dict[str, Any]:
    """What a project's pods keep to: the Pod Security Standard "restricted", as one user."""
    return {
        "runAsNonRoot": True,
        "runAsUser": cluster.user,
        "runAsGroup": cluster.user,
        "fsGroup": cluster.user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """The same, of their containers."""
    return {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def placed(cluster: Kubernetes) -> dict[str, Any]:
    """Where the pod may run; what node.yaml leaves open is the cluster's to say."""
    tolerations = [
        toleration.model_dump(exclude={"value"} if toleration.operator == "Exists" else None)
        for toleration in cluster.tolerations
    ]
    secret = cluster.image_pull_secret
    said = {
        "nodeSelector": dict(cluster.node_selector),
        "tolerations": tolerations,
        "priorityClassName": cluster.priority_class,
        "runtimeClassName": cluster.runtime_class,
        "imagePullSecrets": [{"name": secret}] if secret is not None else [],
    }
    return {key: value for key, value in said.items() if value}


def _volumes(
    cluster: Kubernetes, facts: JobFacts, size: JobSize
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The pod's volumes, and where it sees them."""
    claims = cluster.claims
    volumes: list[dict[str, Any]] = [
        {"name": "code", "persistentVolumeClaim": {"claimName": claims.code, "readOnly": True}},
        {"name": "artifacts", "persistentVolumeClaim": {"claimName": claims.artifacts}},
        {
            "name": "capability",
            "projected": {"defaultMode": 0o440, "sources": [{"secret": {"name": facts.name}}]},
        },
        {"name": "tmp", "emptyDir": {"sizeLimit": size.tmp}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "code", "mountPath": CODE, "subPath": facts.code_digest, "readOnly": True},
        {"name": "artifacts", "mountPath": ARTIFACTS},
        {"name": "capability", "mountPath": CAPABILITY, "readOnly": True},
        {"name": "tmp", "mountPath": TMP},
    ]
    if claims.data is not None:
        volumes.append(
            {"name": "data", "persistentVolumeClaim": {"claimName": claims.data, "readOnly": True}}
        )
        mounts.append({"name": "data", "mountPath": DATA, "readOnly": True})
    return volumes, mounts


def amounts(of: Any) -> dict[str, str]:
    """Requests or limits, as a container has them."""
    return {name.replace("_", "-"): value for name, value in of}


def literal(text: str) -> str:
    """Kubernetes puts variables in the place of `$(NAME)`; what is written in node.yaml is meant as it is."""
    return text.replace("$", "$$")
