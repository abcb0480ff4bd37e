"""What every pod of a project keeps to, whatever it does: pure, from the node spec.

It keeps to the Pod Security Standard "restricted", has no token of the cluster, no name service, and no
secret but the files of one Secret that is its own. Its code and the data are there to be read alone.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from phems.contract.process_environment import PROCESS_ENVIRONMENT
from phems.errors import InputError
from phems.nodespec import NodeSpec
from phems.nodespec.kubernetes import JobSize, Kubernetes
from phems.nodespec.kubernetes_names import LABEL_VALUE

CODE = "/code"
ARTIFACTS = "/artifacts"
DATA = "/data"
TMP = "/tmp"  # noqa: S108 (the pod's own)
SECRET = "/run/phems"  # noqa: S105 (where the files of its Secret are)
GRACE_SECONDS = 10
"""Between SIGTERM and SIGKILL: a step that is cancelled may tidy up."""
NODE_LABEL, PROJECT_LABEL = "phems/node", "phems/project"

# Nobody's name is looked up: the storage service is reached by its address, and nothing else is.
NO_NAMES: Mapping[str, Any] = {
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["127.0.0.1"], "options": [{"name": "attempts", "value": "1"}]},
}
_DIGEST = 26


@dataclass(frozen=True)
class PodFacts:
    """What one kind of pod has of its own; the rest is the same for all of a project's."""

    project: str
    size: JobSize
    container: str
    """The name of its one container."""
    command: Sequence[str]
    secret: str
    """The Secret whose files it sees; it waits for it."""
    volume: str
    """The name of the volume that shows it."""
    restart: Literal["Always", "Never"]
    code_digest: str | None = None
    """The one code revision that it sees; None: all of the project's."""
    writes_artifacts: bool = False
    own: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the container."""


def project_pod(spec: NodeSpec, facts: PodFacts) -> dict[str, Any]:
    """The specification of the pod."""
    cluster, project, size = cluster_of(spec), spec.project(facts.project), facts.size
    volumes, mounts = _volumes(cluster, facts)
    variables = {**project.environment.variables, **PROCESS_ENVIRONMENT}
    container = {
        "name": facts.container,
        "image": project.kubernetes.image or cluster.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [_literal(word) for word in facts.command],
        "workingDir": CODE,
        "env": [{"name": name, "value": _literal(value)} for name, value in sorted(variables.items())],
        **facts.own,
        "resources": {"requests": _amounts(size.requests), "limits": _amounts(size.limits)},
        "volumeMounts": mounts,
        "securityContext": _container_security(),
    }
    return {
        "restartPolicy": facts.restart,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        **copy.deepcopy(dict(NO_NAMES)),
        "securityContext": _pod_security(cluster),
        **_placed(cluster),
        "containers": [container],
        "volumes": volumes,
    }


def secret_of(meta: Mapping[str, Any], files: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """A Secret with these files, for a pod to see; `more` are further fields of it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": dict(meta),
        "type": "Opaque",
        **more,
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in files.items()},
    }


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


def _volumes(cluster: Kubernetes, facts: PodFacts) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The pod's volumes, and where it sees them."""
    claims, name = cluster.claims, facts.volume
    part = {} if facts.code_digest is None else {"subPath": facts.code_digest}
    artifacts = {} if facts.writes_artifacts else {"readOnly": True}
    volumes: list[dict[str, Any]] = [
        {"name": "code", "persistentVolumeClaim": {"claimName": claims.code, "readOnly": True}},
        {"name": "artifacts", "persistentVolumeClaim": {"claimName": claims.artifacts}},
        {"name": name, "projected": {"defaultMode": 0o440, "sources": [{"secret": {"name": facts.secret}}]}},
        {"name": "tmp", "emptyDir": {"sizeLimit": facts.size.tmp}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "code", "mountPath": CODE, **part, "readOnly": True},
        {"name": "artifacts", "mountPath": ARTIFACTS, **artifacts},
        {"name": name, "mountPath": SECRET, "readOnly": True},
        {"name": "tmp", "mountPath": TMP},
    ]
    if claims.data is not None:
        volumes.append(
            {"name": "data", "persistentVolumeClaim": {"claimName": claims.data, "readOnly": True}}
        )
        mounts.append({"name": "data", "mountPath": DATA, "readOnly": True})
    return volumes, mounts


def _pod_security(cluster: Kubernetes) -> dict[str, Any]:
    """The Pod Security Standard "restricted", as one user."""
    return {
        "runAsNonRoot": True,
        "runAsUser": cluster.user,
        "runAsGroup": cluster.user,
        "fsGroup": cluster.user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _container_security() -> dict[str, Any]:
    """The same, of the container."""
    return {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _placed(cluster: Kubernetes) -> dict[str, Any]:
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


def _amounts(of: Any) -> dict[str, str]:
    """Requests or limits, as a container has them."""
    return {name.replace("_", "-"): value for name, value in of}


def _literal(text: str) -> str:
    """Kubernetes puts variables in the place of `$(NAME)`; what is written in node.yaml is meant as it is."""
    return text.replace("$", "$$")
