"""The node spec: one node at one Data Controller, as `node.yaml` describes it.

Everything has a default but who the node and its controller are. Paths are relative to the folder
of node.yaml; `phems.nodespec.paths` makes them absolute. Cross references (a grant of a source
that is not registered) are in `phems.nodespec.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from phems.errors import NotFoundError
from phems.nodespec.audit import Audit
from phems.nodespec.base import Section
from phems.nodespec.broker import Broker
from phems.nodespec.database import Database
from phems.nodespec.environments import Environments
from phems.nodespec.gateway import Gateway
from phems.nodespec.gitops import Gitops
from phems.nodespec.identity import Identity
from phems.nodespec.kubernetes import Kubernetes
from phems.nodespec.lineage import Lineage
from phems.nodespec.logs import Log
from phems.nodespec.names import Name, PathText, Person, Title
from phems.nodespec.notifications import Notifications
from phems.nodespec.policies import Policy
from phems.nodespec.projects import Project
from phems.nodespec.storage import Storage
from phems.nodespec.telemetry import Telemetry
from phems.nodespec.workers import Workers

DEFAULT_POLICY = "default"


class Node(Section):
    """Which node this is."""

    name: Name = Field(description="The node's name, unique in its federation.")
    title: Title | None = Field(default=None, description="What people read.")


class Controller(Section):
    """The Data Controller: the body that answers for the data."""

    name: Title = Field(description="The organisation, as in a contract.")
    contact: Title | None = Field(default=None, description="Whom to write to, such as a mail address.")


class NodeRoles(Section):
    """Roles that hold for the whole node."""

    operator: tuple[Person, ...] = Field(default=(), description="Run the node.")
    auditor: tuple[Person, ...] = Field(
        default=(), description="Read the audit log and look on in Dagster's pages; change nothing."
    )


class DataSource(Section):
    """A registered data set: one file."""

    path: PathText = Field(description="The file, relative to node.yaml.")
    format: Literal["parquet", "csv", "duckdb"] = Field(description="What the file is.")
    title: Title | None = Field(default=None, description="What people read.")
    owner: Person | None = Field(default=None, description="Who answers for it, an Information Asset Owner.")
    version: Title | None = Field(
        default=None,
        description="The version of the data, as run capsules name it; unset: the SHA-256 of the file.",
    )


class NodeSpec(Section):
    """One node: who answers for it, where it keeps things, its projects, data and policies."""

    version: Literal[1] = Field(description="The version of this format.")
    node: Node = Field(description="Which node this is.")
    controller: Controller = Field(description="The Data Controller.")
    profile: Literal["embedded", "server", "kubernetes"] = Field(
        default="embedded",
        description="embedded: everything on this machine. The others need services of their own.",
    )
    data_dir: PathText = Field(
        default="data", description="The folder that holds everything the node writes."
    )
    release_zone: PathText = Field(
        default="releases", description="The folder that released files are published to."
    )
    gateway: Gateway = Field(default=Gateway(), description="Where people reach the node.")
    database: Database = Field(default=Database(), description="Where metadata lives.")
    broker: Broker | None = Field(
        default=None,
        description="The RabbitMQ that carries steps to workers; profiles server and kubernetes need it.",
    )
    workers: Workers = Field(default=Workers(), description="Worker processes of those profiles.")
    kubernetes: Kubernetes | None = Field(
        default=None, description="The cluster that steps run on; profile kubernetes needs it."
    )
    gitops: Gitops | None = Field(
        default=None, description="How Argo CD delivers the node to its cluster; unset: it does not."
    )
    storage: Storage = Field(
        default=Storage(), description="Where files lie that all machines of the node share."
    )
    environments: Environments = Field(
        default=Environments(),
        description="Where packages come from for projects with Python environments of their own.",
    )
    identity: Identity = Field(default=Identity(), description="Who people are, and how they sign in.")
    log: Log = Field(default=Log(), description="What the node's processes write to standard error.")
    notifications: Notifications = Field(
        default=Notifications(), description="How people hear that they are waited for."
    )
    telemetry: Telemetry = Field(
        default=Telemetry(), description="Who is told of traces of requests, runs and steps."
    )
    lineage: Lineage = Field(
        default=Lineage(), description="Where OpenLineage events of runs and releases go."
    )
    audit: Audit = Field(default=Audit(), description="The audit log, and who keeps its checkpoints.")
    roles: NodeRoles = Field(default=NodeRoles(), description="Roles that hold for the whole node.")
    organisations: dict[Name, tuple[Person, ...]] = Field(
        default={},
        description="Which organisation people belong to, for policies that ask for different ones.",
    )
    policies: dict[Name, Policy] = Field(
        default={},
        description="Policies by name; a project that names none is held to the one called default.",
    )
    data_sources: dict[Name, DataSource] = Field(default={}, description="Registered data sets by name.")
    projects: dict[Name, Project] = Field(default={}, description="Projects by name.")
    _held_to: dict[str, Policy] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _module_from_name(cls, data: Any) -> Any:
        """Fill `code.module` from the project's name, so that every reader finds it set."""
        projects = data.get("projects") if isinstance(data, dict) else None
        if not isinstance(projects, dict):
            return data
        return {**data, "projects": {name: _with_module(name, project) for name, project in projects.items()}}

    @property
    def audit_origin(self) -> str:
        """What the audit log is called in its checkpoints."""
        return self.audit.origin or f"{self.node.name}/audit"

    def project(self, name: str) -> Project:
        """A project by name; NotFoundError lists what there is."""
        if name not in self.projects:
            known = ", ".join(sorted(self.projects)) or "none"
            raise NotFoundError(
                f"There is no project {name!r}.", why=f"Projects here: {known}.", remedy="phems project list"
            )
        return self.projects[name]

    def projects_with_mlflow(self) -> list[str]:
        """The projects that have an MLflow server."""
        return [name for name, project in self.projects.items() if project.mlflow]

    def project_names(self, only: str | None = None) -> list[str]:
        """All of them, or the one that is named; NotFoundError lists what there is."""
        if only is None:
            return list(self.projects)
        self.project(only)
        return [only]

    def policy_of(self, project: str) -> Policy:
        """The policy a project is held to; the one called default exists even when not written."""
        if project in self._held_to:
            return self._held_to[project]
        name = self.project(project).policy
        return self.policies[name] if name in self.policies else Policy()

    def held_to(self, policies: Mapping[str, Policy]) -> NodeSpec:
        """This spec with each of these projects held to a policy as it is in force, whatever is declared."""
        spec = self.model_copy()
        spec._held_to = dict(policies)  # noqa: SLF001 (one of our own kind)
        return spec

    def organisation_of(self) -> dict[str, str]:
        """The organisation of each person who has one."""
        return {person: name for name, people in self.organisations.items() for person in people}


def _with_module(name: Any, project: Any) -> Any:
    code = project.get("code") if isinstance(project, dict) else None
    if not isinstance(name, str) or not isinstance(code, dict) or code.get("module") is not None:
        return project
    return {**project, "code": {**code, "module": f"{name.replace('-', '_')}.definitions"}}
