"""Projects of the node spec: a tenant's code, people, data grants, queue and limits."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from phems.nodespec.base import Section
from phems.nodespec.code import Code
from phems.nodespec.environments import RequirementsFile
from phems.nodespec.kubernetes import ProjectKubernetes
from phems.nodespec.names import (
    Day,
    Name,
    PathText,
    Person,
    StrictBool,
    StrictInt,
    Title,
    VariableName,
    refuse,
)
from phems.nodespec.retention import Retention
from phems.nodespec.sizes import Size

GIB = 1024**3

People = tuple[Person, ...]


class Members(Section):
    """Who may do what in a project (the roles of SATRE)."""

    data_analyst: People = Field(
        default=(), description="Write and submit code, launch runs, ask for releases."
    )
    output_checker: People = Field(default=(), description="Vote on the files of release requests.")
    information_asset_owner: People = Field(
        default=(), description="Approve code revisions for the Data Controller."
    )
    coordinator: tuple[Name, ...] = Field(
        default=(),
        description="Federation coordinators: programs that are handed the project's released packages, "
        "and nothing else.",
    )


class DataGrant(Section):
    """A project's right to read one data source."""

    source: Name = Field(description="The name of a registered data source.")
    expires: Day | None = Field(
        default=None, description="The last day of the grant; unset: until it is taken away."
    )


class Queue(Section):
    """A project's share of the node."""

    concurrency: StrictInt = Field(
        default=4, ge=1, le=1000, description="Steps of the project that run at once."
    )
    runs: StrictInt = Field(
        default=10, ge=1, le=10_000, description="Runs of the project in progress at once."
    )
    priority: StrictInt = Field(
        default=0, ge=-100, le=100, description="Larger goes first when projects compete."
    )
    pool: Name = Field(
        default="default",
        description="The pool of workers that run its steps in profile server.",
    )


class Resources(Section):
    """Limits on one step."""

    memory: Size = Field(default=2 * GIB, description="Memory of one step.")
    cpu_seconds: StrictInt = Field(
        default=3600, ge=1, le=31_536_000, description="CPU time of one step, in seconds."
    )
    processes: StrictInt = Field(default=256, ge=1, le=65_536, description="Processes and threads at once.")
    file_size: Size = Field(default=GIB, description="The largest file a step can write.")


class Environment(Section):
    """What project code finds around it."""

    python: PathText | None = Field(
        default=None,
        description="The Python interpreter of an environment that an operator made; unset: the node's own.",
    )
    requirements: RequirementsFile | None = Field(
        default=None,
        description="The lock file at the top of the Code Repo, such as requirements.txt, that the node "
        "builds the project's environment from; unset: none is built.",
    )
    variables: dict[VariableName, Annotated[str, Field(max_length=32_768)]] = Field(
        default={},
        description="Environment variables for project code. No secrets: project code can print them.",
    )

    @model_validator(mode="after")
    def _one_python(self) -> Self:
        if self.python is not None and self.requirements is not None:
            raise refuse(
                "has two Pythons",
                why="python names one that is there, requirements has the node build another",
                remedy="take one of the two out",
            )
        return self

    @property
    def described(self) -> str | None:
        """The Python as run capsules name it; None for the node's own."""
        return self.python if self.requirements is None else f"built from {self.requirements}"


class Project(Section):
    """A tenant: one Code Repo, one Dagster code location, one queue, one artifact area."""

    title: Title | None = Field(default=None, description="What people read.")
    code: Code = Field(description="Where the code comes from.")
    members: Members = Field(default=Members(), description="Who may do what.")
    data_grants: tuple[DataGrant, ...] = Field(
        default=(), description="The data sources its code may read, no others."
    )
    policy: Name = Field(default="default", description="The policy it is held to.")
    queue: Queue = Field(default=Queue(), description="Its share of the node.")
    resources: Resources = Field(default=Resources(), description="Limits on each of its steps.")
    environment: Environment = Field(default=Environment(), description="What its code finds around it.")
    retention: Retention = Field(default=Retention(), description="How long what its runs left is kept.")
    mlflow: StrictBool = Field(
        default=False,
        description="Whether it has an MLflow server, at /mlflow/NAME/; needs the extra mlflow.",
    )
    kubernetes: ProjectKubernetes = Field(
        default=ProjectKubernetes(), description="Its own on the cluster, in profile kubernetes."
    )
