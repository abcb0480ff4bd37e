"""The usage report: what each project used of the node, for whoever accounts for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from phems.services.ports.usage import RunUsage, StorageSizes, UsageFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectUsage:
    """One project's line. Bytes are as they are now, all else between the days."""

    project: str
    since: date
    until: date
    runs: int
    steps: int
    cpu_seconds: float
    """Kernel's count over the project's processes."""
    storage: Mapping[str, int]
    """Bytes by area."""

    @property
    def storage_bytes(self) -> int:
        """Of all areas."""
        return sum(self.storage.values())


class UsageReport:
    """The use case."""

    def __init__(self, facts: UsageFacts, sizes: StorageSizes) -> None:
        self._facts = facts
        self._sizes = sizes

    def of(self, projects: Sequence[str], since: date, until: date) -> list[ProjectUsage]:
        """The lines of these projects, in their order."""
        used = self._facts.between(since, until)
        lines = []
        for project in projects:
            found = used.get(project, RunUsage())
            lines.append(
                ProjectUsage(
                    project=project,
                    since=since,
                    until=until,
                    runs=found.runs,
                    steps=found.steps,
                    cpu_seconds=round(found.cpu_seconds, 2),
                    storage={**self._sizes.of(project), "event_logs": found.event_bytes},
                )
            )
        return lines
