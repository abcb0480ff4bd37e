"""The usage report: what each project used of the node, for whoever accounts for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from phems.services.ports.usage import RunCpu, RunUsage, StorageSizes, UsageFacts


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
    cpu_seconds_told: float
    """What its hosts and pods told of the steps of its runs."""
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
        told: defaultdict[str, float] = defaultdict(float)
        for run in self._facts.runs_between(since, until):
            told[run.project] += run.cpu_seconds_told
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
                    cpu_seconds_told=round(told[project], 2),
                    storage={**self._sizes.of(project), "event_logs": found.event_bytes},
                )
            )
        return lines

    def runs_of(self, projects: Sequence[str], since: date, until: date) -> list[RunCpu]:
        """The runs of these projects."""
        return [run for run in self._facts.runs_between(since, until) if run.project in projects]
