"""What a run of a project would get and is held to, as admission is told by whoever wires the node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

from phems.domain.admission import AdmissionRules
from phems.domain.capsules import GrantedData
from phems.services.ports.data_versions import DataVersions


@dataclass(frozen=True)
class Source:
    """A registered data source: format and path as in node.yaml, the file, the version if it is declared."""

    place: str
    file: Path
    version: str | None = None

    def said(self, found: str | None) -> GrantedData:
        """It, as a capsule says it; `found` is the SHA-256 of the file, if it has one."""
        if self.version is not None:
            return GrantedData(self.place, f"declared:{self.version}")
        return GrantedData(self.place, f"sha256:{found}" if found else "missing")

    def now(self, versions: DataVersions) -> GrantedData:
        """What it holds now; see `DataVersions.of`."""
        return self.said(versions.of(self.file) if self.version is None else None)


@dataclass(frozen=True)
class RunProject:
    """A project: the rules in force, the label of their version, and what runs find around them."""

    policy_version: str
    rules: AdmissionRules
    sources: Mapping[str, Source] = field(default_factory=dict)
    interpreter: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def data(self, day: date, versions: DataVersions) -> dict[str, GrantedData]:
        """The data sources that may be read on a day, with what they hold now."""
        return {name: source.now(versions) for name, source in self.granted(day).items()}

    def granted(self, day: date) -> dict[str, Source]:
        """The data sources that may be read on a day."""
        granted = self.rules.granted(day)
        return {name: source for name, source in sorted(self.sources.items()) if name in granted}


class RunProjects(Protocol):
    """The projects of the node."""

    def __call__(self, project: str, *, read_again: bool = False) -> RunProject:
        """A project; `read_again` when other rules have come into force. `NotFoundError` without one."""
        ...
