"""The pod of a project's host in the project's namespace: a Deployment of one, and who reaches it.

It is what a step's pod is, but for three things: it stays, it sees every code revision of the Code Mount, and
it listens. It reaches nobody: control processes connect to it, and what its hosts ask for goes back that way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phems.contract.host_pod import PORT
from phems.nodespec import NodeSpec
from phems.nodespec.kubernetes import Hosts, Kubernetes
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

HOST = "phems-host"
"""The Deployment, its Service and its Secret, in the namespace of each project."""
HOST_COMMAND = ("python3", "-P", "-m", "phems.host", "--hosts", SECRET)
LABELS: Mapping[str, str] = {"app.kubernetes.io/name": HOST, "app.kubernetes.io/managed-by": "phems"}
CONTROL: Mapping[str, str] = {
    "app.kubernetes.io/name": "phems-node",
    "app.kubernetes.io/component": "control",
}
"""The control processes' pods, as the chart labels them."""
# One that still ends counts beside the one that follows it.
PODS = 2
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
                "spec": project_pod(spec, _pod(cluster, hosts, project)),
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
    meta = {
        "name": HOST,
        "namespace": cluster_of(spec).namespace_of(project),
        "labels": _labels(spec, project),
    }
    return secret_of(meta, files)


def _labels(spec: NodeSpec, project: str) -> dict[str, str]:
    return {
        **LABELS,
        NODE_LABEL: label_value(spec.node.name),
        PROJECT_LABEL: label_value(project),
    }


def _pod(cluster: Kubernetes, hosts: Hosts, project: str) -> PodFacts:
    return PodFacts(
        project=project,
        size=cluster.sizes[hosts.size],
        container="host",
        command=HOST_COMMAND,
        secret=HOST,
        volume="keys",
        restart="Always",
        own={
            "ports": [{"name": "hosts", "containerPort": PORT}],
            "readinessProbe": {**PROBE, "periodSeconds": 2},
            # One that answers nobody has soon more callers waiting than it lets wait, and is started anew.
            "livenessProbe": {**PROBE, "failureThreshold": 6},
        },
    )
