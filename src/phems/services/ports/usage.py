"""What projects used, as the report sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUsage:
    """What the engine knows of one project."""

    runs: int = 0
    steps: int = 0
    cpu_seconds: float = 0.0
    event_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RunCpu:
    """The CPU time of one run, as its project's hosts or pods told it."""

    run: str
    project: str
    day: date
    """On which it was first told, in UTC."""
    cpu_seconds_told: float


class UsageFacts(Protocol):
    """What the engine has on record."""

    def between(self, since: date, until: date) -> Mapping[str, RunUsage]:
        """By project: runs and steps that began on these days (UTC, both included), CPU time used on them.

        `event_bytes` is what there is now.
        """
        ...

    def runs_between(self, since: date, until: date) -> Sequence[RunCpu]:
        """The runs of these days, by day and name."""
        ...


class StorageSizes(Protocol):
    """What lies on disks and in buckets now."""

    def of(self, project: str) -> Mapping[str, int]:
        """Bytes by area: `artifacts`, `code`, `compute_logs`, `mlflow`."""
        ...
