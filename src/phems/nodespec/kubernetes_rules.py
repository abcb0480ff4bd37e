"""Rules on the cluster in the node spec: what projects name of it is there, and names fit in a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phems.nodespec.document import Loc
from phems.nodespec.findings import Finding
from phems.nodespec.kubernetes import DEFAULT_SIZE
from phems.nodespec.kubernetes_names import LABEL
from phems.nodespec.models import NodeSpec


def clusters_are_described(spec: NodeSpec) -> Iterator[Finding]:
    """What pods are is said once for the node, before any project says more."""
    if spec.kubernetes is not None:
        if DEFAULT_SIZE not in spec.kubernetes.sizes:
            yield Finding(
                ("kubernetes", "sizes"),
                f"has no size called {DEFAULT_SIZE}",
                "steps that name no size run in that one",
                f"write {DEFAULT_SIZE}: {{}} for the node's own, or its requests and limits",
            )
        return
    if spec.profile == "kubernetes":
        yield Finding(
            ("kubernetes",),
            "is missing",
            "profile kubernetes runs each step in a pod, and the pod's image is named there",
            "write kubernetes: {image: 'registry.example/phems/project@sha256:...'}",
            (("profile",),),
        )
    for name, project in spec.projects.items():
        if project.kubernetes.model_fields_set:
            yield Finding(
                ("projects", name, "kubernetes"),
                "is of no use",
                "the node spec has no section kubernetes",
                "describe the cluster under kubernetes, or take this out",
                (("kubernetes",),),
            )


def pods_wait_on_clusters_alone(spec: NodeSpec) -> Iterator[Finding]:
    """Warm pods are of the profile whose steps are pods: elsewhere a step is a fork of what has loaded."""
    if spec.profile == "kubernetes":
        return
    for name, project in spec.projects.items():
        if project.kubernetes.warm:
            yield Finding(
                ("projects", name, "kubernetes", "warm"),
                f"no pods wait in profile {spec.profile}",
                "its steps are forks of a process that has loaded the definitions already",
                "take this out, or write profile: kubernetes",
                (("profile",),),
            )


def clusters_have_a_namespace_for_each_project(spec: NodeSpec) -> Iterator[Finding]:
    """The project's name with what stands around it is a name that a cluster takes."""
    if spec.kubernetes is None:
        return
    for name in spec.projects:
        namespace = spec.kubernetes.namespace_of(name)
        if re.fullmatch(LABEL, namespace, re.ASCII) is None:
            yield Finding(
                ("projects", name),
                f"would have the namespace {namespace}",
                "a namespace has at most 63 small letters, digits and dashes, and ends with no dash",
                "shorten kubernetes.namespace, or rename the project",
                (("kubernetes", "namespace"),),
            )
        if namespace == spec.kubernetes.control_namespace:
            yield Finding(
                ("projects", name),
                f"would have the namespace {namespace}, the node's own",
                "project code would run among the processes that hold the node's credentials",
                "choose another kubernetes.control_namespace, or rename the project",
                (("kubernetes", "namespace"), ("kubernetes", "control_namespace")),
            )


def clusters_have_the_sizes_that_steps_name(spec: NodeSpec) -> Iterator[Finding]:
    """Projects and hosts take sizes from the list; they make none."""
    if spec.kubernetes is None:
        return
    known = list(spec.kubernetes.sizes)
    hosts = spec.kubernetes.hosts
    named: dict[Loc, str] = {} if hosts is None else {("kubernetes", "hosts", "size"): hosts.size}
    for name, project in spec.projects.items():
        for step, size in project.kubernetes.sizes.items():
            named["projects", name, "kubernetes", "sizes", step] = size
    for place, size in named.items():
        if size not in known:
            yield Finding(
                place,
                f"there is no size {size}",
                f"kubernetes.sizes has {', '.join(known) or 'nothing'}",
                "take one of these, or describe it under kubernetes.sizes",
                (("kubernetes", "sizes"),),
            )
