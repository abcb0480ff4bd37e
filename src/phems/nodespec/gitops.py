"""How Argo CD delivers the node: where its Node Repo and the charts lie, and where Argo CD itself is.

What Argo CD is given to read is named here and nowhere else. Code Repos are not among it: what they hold is
fetched by the node, once it is approved.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from phems.nodespec.base import Section
from phems.nodespec.kubernetes_names import ObjectName
from phems.nodespec.names import Branch, matching

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_PATH = r"[A-Za-z0-9._~+-]+(?:/[A-Za-z0-9._~+-]+)*"
# Narrower than a Code Repo's: it is also written into the Node Repo's workflow, where a shell reads it.
GIT_ADDRESS = (
    rf"(?:https://{_HOST}(?::[1-9][0-9]{{0,4}})?/{_PATH}"
    rf"|ssh://(?:[a-z0-9_-]+@)?{_HOST}(?::[1-9][0-9]{{0,4}})?/{_PATH}"
    rf"|[a-z0-9_-]+@{_HOST}:{_PATH})"
)
CHART_REVISION = r"(?:[0-9a-f]{40}|v?[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]{0,60})"
SERVER = rf"https://{_HOST}(?::[1-9][0-9]{{0,4}})?"


_address = matching(
    GIT_ADDRESS,
    what="is not the address of a Git repo that Argo CD can read",
    why="it is read in the cluster: no folder of this machine, and no user with a password, which would "
    "lie in Git",
    remedy="write https://host/repo.git or git@host:repo.git; Argo CD is given the login by itself",
)
_revision = matching(
    CHART_REVISION,
    what="{value} is neither a commit nor a version",
    why="what is installed would change when a branch moves, without a change in the Node Repo",
    remedy="write the tag of a version, such as v0.1.0, or the 40 digits of a commit",
)
_server = matching(
    SERVER,
    what="{value} is not the address of a cluster",
    why="Argo CD knows a cluster by the address of its API server",
    remedy="write it as argocd cluster list shows it, as in https://kubernetes.default.svc",
)

GitAddress = Annotated[
    str, AfterValidator(_address), Field(max_length=1000, json_schema_extra={"pattern": f"^{GIT_ADDRESS}$"})
]
"""A Git repo by an address that holds no password, and is no folder."""


class Gitops(Section):
    """Argo CD, which brings the cluster in step with the Node Repo."""

    repo: GitAddress = Field(description="The Node Repo, as Argo CD reads it; node.yaml lies at its top.")
    branch: Branch = Field(default="main", description="The branch that is in force.")
    chart_repo: GitAddress = Field(
        description="The repo with the charts (`charts/phems-node`), as Argo CD reads it."
    )
    chart_revision: Annotated[
        str, AfterValidator(_revision), Field(json_schema_extra={"pattern": f"^{CHART_REVISION}$"})
    ] = Field(description="The version of the charts: a tag such as v0.1.0, or a commit. No branch.")
    namespace: ObjectName = Field(
        default="argocd", description="Argo CD's own namespace, where its applications are."
    )
    server: Annotated[str, AfterValidator(_server), Field(json_schema_extra={"pattern": f"^{SERVER}$"})] = (
        Field(
            default="https://kubernetes.default.svc",
            description="The cluster that the node is installed on, as Argo CD knows it; unset: its own.",
        )
    )
