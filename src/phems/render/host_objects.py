"""The pod of a project's host in the project's namespace: a Deployment of one, and who reaches it.

It is what a step's pod is, but for three things: it stays, it sees every code revision of the Code Mount, and
it listens. It reaches nobody: control processes connect to it, and what its hosts ask for goes back that way.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from typing import Any

from phems.contract.host_pod import PORT
from phems.nodespec import NodeSpec
from phems.nodespec.kubernetes import Hosts, JobSize, Kubernetes
from phems.render.step_job import (
    ARTIFACTS,
    CODE,
    DATA,
    ENVIRONMENT,
    NO_NAMES,
    NODE_LABEL,
    PROJECT_LABEL,
    TMP,
    amounts,
    container_security,
    label_value,
    literal,
    placed,
    pod_security,
)

HOST = "phems-host"
"""The Deployment, its Service and its Secret, in the namespace of each project."""
KEYS = "/run/phems"
HOST_COMMAND = ("python3", "-P", "-m", "phems.host", "--hosts", KEYS)
LABELS: Mapping[str, str] = {"app.kubernetes.io/name": HOST, "app.kubernetes.io/managed-by": "phems"}
CONTROL: Mapping[str, str] = {
    "app.kubernetes.io/name": "phems-node",
    "app.kubernetes.io/component": "control",
}
"""The control processes' pods, as the chart labels them."""
# One that still ends counts beside the one that follows it.
PODS = 2
GRACE_SECONDS = 10
PROBE: Mapping[str, Any] = {"tcpSocket": {"port": PORT}, "periodSeconds": 10, "timeoutSeconds": 5}


def host_objects(spec: NodeSpec, cluster: Kubernetes, hosts: Hosts, project: str) -> list[dict[str, Any]]:
    """The objects, without namespace and labels of their own."""
    own = _labels(spec, project)
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": HOST},
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 2,
            # Two at once would be asked in turns, and each knows its own hosts alone.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": own},
            "template": {
                "metadata": {"labels": own},
                "spec": _pod(spec, cluster, cluster.sizes[hosts.size], project),
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": HOST},
        "spec": {"selector": own, "ports": [{"name": "hosts", "port": PORT, "targetPort": PORT}]},
    }
    control = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": cluster.control_namespace}},
        "podSelector": {"matchLabels": dict(CONTROL)},
    }
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "phems-control-to-host"},
        "spec": {
            "podSelector": {"matchLabels": dict(LABELS)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [control], "ports": [{"protocol": "TCP", "port": PORT}]}],
        },
    }
    return [policy, service, deployment]


def host_secret(spec: NodeSpec, project: str, files: Mapping[str, str]) -> dict[str, Any]:
    """The Secret that the pod waits for: the key that it is known by, and whom it lets in."""
    cluster = spec.kubernetes
    assert cluster is not None  # noqa: S101 (who asks has looked)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": HOST,
            "namespace": cluster.namespace_of(project),
            "labels": _labels(spec, project),
        },
        "type": "Opaque",
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in files.items()},
    }


def _labels(spec: NodeSpec, project: str) -> dict[str, str]:
    return {
        **LABELS,
        NODE_LABEL: label_value(spec.node.name),
        PROJECT_LABEL: label_value(project),
    }


def _pod(spec: NodeSpec, cluster: Kubernetes, size: JobSize, project: str) -> dict[str, Any]:
    found, claims = spec.project(project), cluster.claims
    volumes: list[dict[str, Any]] = [
        {"name": "code", "persistentVolumeClaim": {"claimName": claims.code, "readOnly": True}},
        {"name": "artifacts", "persistentVolumeClaim": {"claimName": claims.artifacts}},
        {"name": "keys", "projected": {"defaultMode": 0o440, "sources": [{"secret": {"name": HOST}}]}},
        {"name": "tmp", "emptyDir": {"sizeLimit": size.tmp}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "code", "mountPath": CODE, "readOnly": True},
        {"name": "artifacts", "mountPath": ARTIFACTS, "readOnly": True},
        {"name": "keys", "mountPath": KEYS, "readOnly": True},
        {"name": "tmp", "mountPath": TMP},
    ]
    if claims.data is not None:
        volumes.append(
            {"name": "data", "persistentVolumeClaim": {"claimName": claims.data, "readOnly": True}}
        )
        mounts.append({"name": "data", "mountPath": DATA, "readOnly": True})
    variables = {**found.environment.variables, **ENVIRONMENT}
    container = {
        "name": "host",
        "image": found.kubernetes.image or cluster.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(HOST_COMMAND),
        "workingDir": CODE,
        "env": [{"name": name, "value": literal(value)} for name, value in sorted(variables.items())],
        "ports": [{"name": "hosts", "containerPort": PORT}],
        "readinessProbe": {**PROBE, "periodSeconds": 2},
        # One that answers nobody has soon more callers waiting than it lets wait, and is started anew.
        "livenessProbe": {**PROBE, "failureThreshold": 6},
        "resources": {"requests": amounts(size.requests), "limits": amounts(size.limits)},
        "volumeMounts": mounts,
        "securityContext": container_security(),
    }
    return {
        "restartPolicy": "Always",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        **copy.deepcopy(dict(NO_NAMES)),
        "securityContext": pod_security(cluster),
        **placed(cluster),
        "containers": [container],
        "volumes": volumes,
    }
