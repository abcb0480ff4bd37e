"""Rules on what Argo CD delivers: a node that runs on a cluster, apart from Argo CD itself."""

from __future__ import annotations

from collections.abc import Iterator

from phems.nodespec.findings import Finding
from phems.nodespec.models import NodeSpec

LONGEST_RELEASE = 53
"""Helm's own limit: the node's name is the release's."""


def what_argo_cd_delivers_is_a_cluster_s(spec: NodeSpec) -> Iterator[Finding]:
    """It makes objects of a cluster, and a node elsewhere has none."""
    if spec.gitops is None:
        return
    if spec.profile != "kubernetes":
        yield Finding(
            ("gitops",),
            "is of no use",
            f"profile is {spec.profile}, and Argo CD installs nodes of the profile kubernetes",
            "write profile: kubernetes, or take this out",
            (("profile",),),
        )
    if len(spec.node.name) > LONGEST_RELEASE:
        yield Finding(
            ("node", "name"),
            f"has {len(spec.node.name)} characters",
            f"Helm takes releases of {LONGEST_RELEASE} at most, and the release is called as the node",
            "shorten it",
            (("gitops",),),
        )


def argo_cd_has_a_namespace_of_its_own(spec: NodeSpec) -> Iterator[Finding]:
    """Whoever may write in Argo CD's namespace may make applications, and with them anything."""
    if spec.gitops is None or spec.kubernetes is None:
        return
    taken = {spec.kubernetes.control_namespace: "the node's own processes"} | {
        spec.kubernetes.namespace_of(name): f"project {name}" for name in spec.projects
    }
    whose = taken.get(spec.gitops.namespace)
    if whose is not None:
        yield Finding(
            ("gitops", "namespace"),
            f"{spec.gitops.namespace} is the namespace of {whose}",
            "who may write in Argo CD's namespace may make applications, and with them anything",
            "let Argo CD have a namespace of its own",
            (("kubernetes", "control_namespace"), ("kubernetes", "namespace")),
        )
