"""The objects of each project's namespace on a cluster, from node.yaml: walls, limits, the worker's rights.

A namespace that enforces "restricted", without network but from steps to the storage service, with a quota by
what the project may run at once. The one right that reaches into it is the worker's, on what makes a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from phems.errors import InputError
from phems.nodespec import NodeSpec
from phems.nodespec.kubernetes import DEFAULT_SIZE, JobSize, Kubernetes
from phems.nodespec.projects import Project
from phems.nodespec.quantities import amount
from phems.render.host_objects import PODS as HOST_PODS
from phems.render.host_objects import host_objects
from phems.render.project_pods import NODE_LABEL, PROJECT_LABEL, label_value
from phems.render.step_job import LABELS as STEP_LABELS
from phems.render.yaml_text import yaml_documents

WORKER = "phems-worker"
"""The service account of workers, in the namespace of the node's own processes."""
STORAGE_PORTS = range(7443, 7507)
"""Where a worker's processes serve their steps' storage services: each project of the pool one of these."""
RESOURCES = ("cpu", "memory", "ephemeral_storage")
# A pod that is still ending counts beside the one that follows it; of warm pods, a second worker's do.
PODS_FOR_A_STEP = 2

WORKER_RIGHTS: Sequence[Mapping[str, Any]] = (
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "watch", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "get", "delete"]},
)
"""What a worker may do in a project's namespace: no more than its steps' Jobs take."""

Object = dict[str, Any]


def project_files(spec: NodeSpec) -> dict[str, str]:
    """A file for each project: what `kubectl apply -f` makes of it is the project's namespace."""
    if not spec.projects:
        raise InputError(
            "node.yaml has no projects.",
            why="Each project has a namespace of its own on a cluster; there is none to write.",
            remedy="Write a project under projects; see docs/how-to/add-a-project.md",
        )
    return {f"{project}.yaml": yaml_documents(project_objects(spec, project)) for project in spec.projects}


def project_objects(spec: NodeSpec, project: str) -> list[Object]:
    """The objects of a project's namespace, in the order in which they are made."""
    cluster = spec.kubernetes
    if cluster is None:
        raise InputError(
            "node.yaml describes no cluster.",
            why="Manifests are made from its section kubernetes.",
            remedy="Write it; phems check says what is missing.",
        )
    labels = {
        "app.kubernetes.io/managed-by": STEP_LABELS["app.kubernetes.io/managed-by"],
        NODE_LABEL: label_value(spec.node.name),
        PROJECT_LABEL: label_value(project),
    }
    namespace = cluster.namespace_of(project)
    return [
        _namespace(namespace, labels),
        *(
            {**each, "metadata": {"name": each["metadata"]["name"], "namespace": namespace, "labels": labels}}
            for each in (
                _account(),
                _nothing(),
                _to_storage(cluster),
                _quota(cluster, pods_at_once(spec.project(project))),
                _limits(cluster),
                _role(),
                _binding(cluster),
                *_hosts(spec, cluster, project),
            )
        ),
    ]


def _namespace(name: str, labels: Mapping[str, str]) -> Object:
    modes = ("enforce", "audit", "warn")
    security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {**labels, **security}},
    }


def _object(api: str, kind: str, name: str, **parts: Any) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **parts}


def _account() -> Object:
    """The account that pods have when none is named: its token is handed to none."""
    return _object("v1", "ServiceAccount", "default", automountServiceAccountToken=False)


def _nothing() -> Object:
    return _object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "phems-nothing",
        spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    )


def _to_storage(cluster: Kubernetes) -> Object:
    worker = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": cluster.control_namespace}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": WORKER}},
    }
    egress = {"to": [worker], "ports": [_storage_ports()]}
    return _object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "phems-steps-to-storage",
        spec={
            "podSelector": {"matchLabels": dict(STEP_LABELS)},
            "policyTypes": ["Egress"],
            "egress": [egress],
        },
    )


def _storage_ports() -> Object:
    return {"protocol": "TCP", "port": STORAGE_PORTS[0], "endPort": STORAGE_PORTS[-1]}


def pods_at_once(project: Project) -> int:
    """How many pods of a project there may be at once: those of steps, and those that wait for one."""
    return (project.queue.concurrency + project.kubernetes.warm) * PODS_FOR_A_STEP


def _hosts(spec: NodeSpec, cluster: Kubernetes, project: str) -> list[Object]:
    return [] if cluster.hosts is None else host_objects(spec, cluster, cluster.hosts, project)


def _quota(cluster: Kubernetes, steps: int) -> Object:
    hosts = HOST_PODS if cluster.hosts is not None else 0
    pods = steps + hosts
    sums = {
        f"{kind}.{_key(name)}": _written(
            _largest(cluster, kind, name) * steps + _of_host(cluster, kind, name) * hosts
        )
        for kind in ("requests", "limits")
        for name in RESOURCES
    }
    none = dict.fromkeys(("services.loadbalancers", "services.nodeports"), "0")
    return _object("v1", "ResourceQuota", "phems-steps", spec={"hard": {"pods": str(pods), **sums, **none}})


def _limits(cluster: Kubernetes) -> Object:
    size = cluster.sizes[DEFAULT_SIZE]
    return _object(
        "v1",
        "LimitRange",
        "phems-steps",
        spec={
            "limits": [
                {
                    "type": "Container",
                    "max": {_key(name): _written(_largest(cluster, "limits", name)) for name in RESOURCES},
                    "default": {_key(name): getattr(size.limits, name) for name in RESOURCES},
                    "defaultRequest": {_key(name): getattr(size.requests, name) for name in RESOURCES},
                }
            ]
        },
    )


def _role() -> Object:
    rules = [{key: list(value) for key, value in rule.items()} for rule in WORKER_RIGHTS]
    return _object("rbac.authorization.k8s.io/v1", "Role", WORKER, rules=rules)


def _binding(cluster: Kubernetes) -> Object:
    return _object(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        WORKER,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": WORKER},
        subjects=[{"kind": "ServiceAccount", "name": WORKER, "namespace": cluster.control_namespace}],
    )


def _largest(cluster: Kubernetes, kind: str, name: str) -> Decimal:
    def of(size: JobSize) -> Decimal:
        return amount(getattr(getattr(size, kind), name))

    return max(map(of, cluster.sizes.values()))


def _of_host(cluster: Kubernetes, kind: str, name: str) -> Decimal:
    size = cluster.sizes[cluster.hosts.size if cluster.hosts is not None else DEFAULT_SIZE]
    return amount(getattr(getattr(size, kind), name))


def _written(quantity: Decimal) -> str:
    """An amount as Kubernetes writes it: whole, or in thousandths."""
    whole = quantity == quantity.to_integral_value()
    return str(int(quantity)) if whole else f"{int(quantity * 1000)}m"


def _key(name: str) -> str:
    return name.replace("_", "-")
