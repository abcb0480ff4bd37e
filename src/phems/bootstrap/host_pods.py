"""The pods of projects' hosts, wired: who asks them for hosts, and the Secrets that they are given."""

from __future__ import annotations

import os
from collections.abc import Mapping

from phems.adapters.host_pods.keys import HostKeys
from phems.adapters.host_pods.launcher import PodHosts
from phems.adapters.secret_places import secret_at
from phems.errors import InputError
from phems.nodespec import NodePaths, NodeSpec
from phems.nodespec.kubernetes import Kubernetes
from phems.render.host_objects import host_secret
from phems.render.yaml_text import yaml_text


def host_pods_of(spec: NodeSpec, paths: NodePaths) -> PodHosts | None:
    """Who asks the pods for hosts; None where node.yaml has none."""
    cluster = spec.kubernetes
    if spec.profile != "kubernetes" or cluster is None or (hosts := cluster.hosts) is None:
        return None
    keys = _keys(cluster, paths)
    return PodHosts(lambda project: hosts.address_in(cluster.namespace_of(project)), keys)


def host_secrets(spec: NodeSpec, paths: NodePaths) -> Mapping[str, str]:
    """A file for each project, with the Secret of its host's pod."""
    cluster = spec.kubernetes
    if cluster is None or cluster.hosts is None:
        raise InputError(
            "node.yaml has no pods that load definitions.",
            why="Their Secrets are made for kubernetes.hosts.",
            remedy="Write kubernetes: {hosts: {key: env:PHEMS_HOSTS_KEY}}",
        )
    keys = _keys(cluster, paths)
    return {
        f"{project}.yaml": yaml_text(host_secret(spec, project, keys.files_of(project)))
        for project in spec.projects
    }


def _keys(cluster: Kubernetes, paths: NodePaths) -> HostKeys:
    place = cluster.hosts.key if cluster.hosts is not None else None
    secret = secret_at(place, paths.folder, os.environ, key="kubernetes.hosts.key")
    return HostKeys(secret or "")
