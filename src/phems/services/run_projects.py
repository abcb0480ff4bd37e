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
        granted = self.rules.granted(day)
        return {
            name: GrantedData(source.place, _version(source, versions))
            for name, source in sorted(self.sources.items())
            if name in granted
        }


class RunProjects(Protocol):
    """The projects of the node."""

    def __call__(self, project: str, *, read_again: bool = False) -> RunProject:
        """A project; `read_again` when other rules have come into force. `NotFoundError` without one."""
        ...


def _version(source: Source, versions: DataVersions) -> str:
    if source.version is not None:
        return f"declared:{source.version}"
    found = versions.of(source.file)
    return f"sha256:{found}" if found else "missing"
