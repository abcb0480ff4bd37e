"""The objects that Argo CD delivers a node by: what it may do, where it begins, the Node and Code Pipelines.

Three AppProjects, one for each thing that Argo CD does, each with the least that it takes. They and the root
application are made once, by whoever administers Argo CD; all else follows from the Node Repo. So what the
Node Repo may reach is not written in what the Node Repo delivers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from phems.errors import InputError
from phems.nodespec import NodeSpec
from phems.nodespec.gitops import Gitops
from phems.nodespec.kubernetes import Kubernetes
from phems.render.yaml_text import yaml_documents

Object = dict[str, Any]
Kind = tuple[str, str]

NODE_CHART, CODE_CHART = "charts/phems-node", "charts/phems-code"
VALUE_FILES = ("$node/chart/values.yaml", "$node/chart/operator.yaml")
"""In the Node Repo: what `phems render helm` wrote, and over it what the operator chose."""
APPLICATIONS = "gitops/applications"
"""In the Node Repo: what the root application makes."""

ROOT_KINDS: Sequence[Kind] = (("argoproj.io", "Application"), ("argoproj.io", "ApplicationSet"))
NODE_KINDS: Sequence[Kind] = (
    ("", "ConfigMap"),
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("apps", "Deployment"),
    ("batch", "Job"),
    ("keda.sh", "ScaledObject"),
    ("monitoring.coreos.com", "PodMonitor"),
    ("monitoring.coreos.com", "PrometheusRule"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("policy", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
)
"""What the chart phems-node makes in namespaces. No Secret, no pod, no volume."""
CODE_KINDS: Sequence[Kind] = (("", "ConfigMap"), ("batch", "Job"))
NAMESPACE: Kind = ("", "Namespace")
"""The one kind that is not of a namespace; each by its name."""

LONGEST_NAME = 63
"""Argo CD may keep an application's name in a label."""
WAVE = "argocd.argoproj.io/sync-wave"
NODE_WAVE, CODE_WAVE = "0", "1"


def gitops_files(spec: NodeSpec) -> dict[str, str]:
    """The files of the Node Repo's folder `gitops`, by their places in it."""
    delivery, cluster = _delivery(spec)
    return {
        "bootstrap.yaml": yaml_documents(
            [*app_projects(spec, delivery, cluster), root_application(spec, delivery)]
        ),
        "applications/node-pipeline.yaml": yaml_documents([node_pipeline(spec, delivery, cluster)]),
        "applications/code-pipeline.yaml": yaml_documents([code_pipeline(spec, delivery, cluster)]),
    }


def app_projects(spec: NodeSpec, delivery: Gitops, cluster: Kubernetes) -> list[Object]:
    """What Argo CD may do for this node: make applications, install the node, bring code in step."""
    node, control = spec.node.name, cluster.control_namespace
    namespaces = [cluster.namespace_of(project) for project in sorted(spec.projects)]
    both = (delivery.repo, delivery.chart_repo)
    root = _app_project(
        delivery,
        f"{node}-root",
        f"{node}: makes the applications of its Node Repo",
        repos=(delivery.repo,),
        namespaces=(delivery.namespace,),
        kinds=ROOT_KINDS,
    )
    installs = _app_project(
        delivery,
        f"{node}-node",
        f"{node}: Node Pipeline, installs the node",
        repos=both,
        namespaces=(control, *namespaces),
        kinds=NODE_KINDS,
        cluster_wide=[{**_kind(NAMESPACE), "name": name} for name in namespaces],
    )
    code = f"{node}-code"
    brings_code = _app_project(
        delivery,
        code,
        f"{node}: Code Pipeline, brings approved code in step",
        repos=both,
        namespaces=(control,),
        kinds=CODE_KINDS,
    )
    brings_code["spec"]["roles"] = [
        {
            "name": "sync",
            "description": "Starts the Code Pipeline of a project, as after an approval, and nothing else",
            "policies": [
                f"p, proj:{code}:sync, applications, {verb}, {code}/*, allow" for verb in ("get", "sync")
            ],
        }
    ]
    return [root, installs, brings_code]


def root_application(spec: NodeSpec, delivery: Gitops) -> Object:
    """Where Argo CD begins: it makes the applications that lie in the Node Repo."""
    source = {"repoURL": delivery.repo, "targetRevision": delivery.branch, "path": APPLICATIONS}
    return _application(
        delivery,
        spec.node.name + "-root",
        spec.node.name + "-root",
        {"source": source, "destination": {"server": _OWN_CLUSTER, "namespace": delivery.namespace}},
    )


def node_pipeline(spec: NodeSpec, delivery: Gitops, cluster: Kubernetes) -> Object:
    """The node itself: the chart phems-node, with the values of the Node Repo."""
    node = spec.node.name
    return _application(
        delivery,
        node,
        f"{node}-node",
        {
            "sources": _sources(delivery, NODE_CHART, {"releaseName": node}),
            "destination": _destination(delivery, cluster),
        },
        wave=NODE_WAVE,
    )


def code_pipeline(spec: NodeSpec, delivery: Gitops, cluster: Kubernetes) -> Object:
    """An application for each project: the chart phems-code, whose Job runs `phems code sync`."""
    node = spec.node.name
    elements = [
        {
            "application": application_name(f"{node}-code-{name}"),
            "project": name,
            "repo": project.code.repo,
            "branch": project.code.branch,
        }
        for name, project in sorted(spec.projects.items())
    ]
    parameters = [
        {"name": f"code.{key}", "value": f"{{{{ .{key} }}}}", "forceString": True}
        for key in ("project", "repo", "branch")
    ]
    made = _application(
        delivery,
        "{{ .application }}",
        f"{node}-code",
        {
            "sources": _sources(delivery, CODE_CHART, {"releaseName": node, "parameters": parameters}),
            "destination": _destination(delivery, cluster),
        },
    )
    template = {"metadata": {"name": made["metadata"]["name"]}, "spec": made["spec"]}
    return {
        "apiVersion": _API,
        "kind": "ApplicationSet",
        "metadata": {
            "name": f"{node}-code",
            "namespace": delivery.namespace,
            "annotations": {WAVE: CODE_WAVE},
        },
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [{"list": {"elements": elements}}],
            "template": template,
        },
    }


def application_name(whole: str) -> str:
    """A name as it is, or, where it is too long, its beginning with a digest of the whole."""
    if len(whole) <= LONGEST_NAME:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: LONGEST_NAME - 9].rstrip('-')}-{digest}"


_API = "argoproj.io/v1alpha1"
_OWN_CLUSTER = "https://kubernetes.default.svc"
"""The cluster that Argo CD itself runs on: applications are made there, wherever the node is."""


def _delivery(spec: NodeSpec) -> tuple[Gitops, Kubernetes]:
    if spec.gitops is None or spec.kubernetes is None:
        raise InputError(
            "node.yaml does not say how Argo CD delivers the node.",
            why="Its objects are made from the sections gitops and kubernetes.",
            remedy="Write gitops: {repo: ..., chart_repo: ..., chart_revision: ...}; "
            "see docs/how-to/deliver-by-gitops.md",
        )
    return spec.gitops, spec.kubernetes


def _app_project(
    delivery: Gitops,
    name: str,
    description: str,
    *,
    repos: Iterable[str],
    namespaces: Iterable[str],
    kinds: Iterable[Kind],
    cluster_wide: Sequence[Mapping[str, str]] = (),
) -> Object:
    own = {delivery.namespace: _OWN_CLUSTER}
    return {
        "apiVersion": _API,
        "kind": "AppProject",
        "metadata": {"name": name, "namespace": delivery.namespace},
        "spec": {
            "description": description,
            "sourceRepos": list(dict.fromkeys(repos)),
            "destinations": [
                {"server": own.get(namespace, delivery.server), "namespace": namespace}
                for namespace in namespaces
            ],
            "clusterResourceWhitelist": [dict(each) for each in cluster_wide],
            "namespaceResourceWhitelist": [_kind(kind) for kind in kinds],
        },
    }


def _application(
    delivery: Gitops, name: str, project: str, what: Mapping[str, Any], *, wave: str | None = None
) -> Object:
    annotations = {} if wave is None else {"annotations": {WAVE: wave}}
    return {
        "apiVersion": _API,
        "kind": "Application",
        "metadata": {"name": name, "namespace": delivery.namespace, **annotations},
        "spec": {
            "project": project,
            **what,
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                # Two applications that claim one object would undo each other without end.
                "syncOptions": ["FailOnSharedResource=true", "PruneLast=true"],
                "retry": {"limit": 5, "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"}},
            },
        },
    }


def _sources(delivery: Gitops, chart: str, helm: Mapping[str, Any]) -> list[Object]:
    return [
        {
            "repoURL": delivery.chart_repo,
            "targetRevision": delivery.chart_revision,
            "path": chart,
            "helm": {**helm, "valueFiles": list(VALUE_FILES)},
        },
        {"repoURL": delivery.repo, "targetRevision": delivery.branch, "ref": "node"},
    ]


def _destination(delivery: Gitops, cluster: Kubernetes) -> Object:
    return {"server": delivery.server, "namespace": cluster.control_namespace}


def _kind(kind: Kind) -> dict[str, str]:
    return dict(zip(("group", "kind"), kind, strict=True))
