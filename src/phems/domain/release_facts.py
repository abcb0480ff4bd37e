"""What is known of a release when its package is made: everything in the package follows from this alone.

Text from project code is left out of it, but for what the checkers saw and approved: the files' names, and
the author's context and controls. Names of jobs, steps, assets, schedules and sensors, configuration and tags
stay in the node; the run capsule stands for them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from phems.domain.output_checks import CheckReport
from phems.domain.releases import FileGroup, FrozenFile, ReleaseRequest, RunOrigin


def uuid_of(kind: str, name: str) -> str:
    """A name as a UUID: Dagster's of runs are, and any other gets the one that follows from it."""
    try:
        return str(uuid.UUID(name))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:phems:{kind}:{name}"))


@dataclass(frozen=True)
class NodeIdentity:
    """Who releases: the node, its Data Controller, and the version of this software."""

    node: str
    controller: str
    tool_version: str


@dataclass(frozen=True)
class RunTimes:
    """What the engine has on record of a run. `status` is Dagster's word, such as SUCCESS."""

    status: str
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class RunProvenance:
    """Where released files come from. `data` maps each data source that the run could read to its version."""

    origin: RunOrigin
    admitted_at: datetime | None = None
    times: RunTimes | None = None
    data: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def launched_by(self) -> str | None:
        """Who launched it: a person, or what kind of thing did (`sensor`): its name is project code's."""
        return self.origin.launched_by.partition(":")[0] if self.origin.launched_by else None

    @property
    def launched_by_person(self) -> bool:
        """Whether a person launched it."""
        return self.origin.launched_by is not None and ":" not in self.origin.launched_by

    @property
    def uuid(self) -> str:
        """The run's id as a UUID."""
        return uuid_of("run", self.origin.run_id)


@dataclass(frozen=True)
class ReleaseFacts:
    """A release: the request as it was approved, who releases it and when, and what it rests on.

    `policy_version` is the label of the rules in force at the release. `report` holds every finding of the
    turn, of withheld files too: `phems.domain.package_checks` says what of it may leave.
    """

    request: ReleaseRequest
    node: NodeIdentity
    released_at: datetime
    policy_version: str
    report: CheckReport | None = None
    runs: tuple[RunProvenance, ...] = ()

    @property
    def files(self) -> tuple[FrozenFile, ...]:
        """The files that leave."""
        return self.request.approved_files()

    @property
    def groups(self) -> tuple[FileGroup, ...]:
        """The groups of the files that leave."""
        named = {file.group for file in self.files}
        return tuple(group for group in self.request.groups if group.name in named)

    @property
    def files_withheld(self) -> int:
        """How many outputs of the request stay."""
        return len(self.request.outputs()) - len(self.files)
