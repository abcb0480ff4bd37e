"""What projects used, as the report sees it."""

from __future__ import annotations

from collections.abc import Mapping
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


class UsageFacts(Protocol):
    """What the engine has on record."""

    def between(self, since: date, until: date) -> Mapping[str, RunUsage]:
        """By project: runs and steps that began on these days (UTC, both included), CPU time used on them.

        `event_bytes` is what there is now.
        """
        ...


class StorageSizes(Protocol):
    """What lies on disks and in buckets now."""

    def of(self, project: str) -> Mapping[str, int]:
        """Bytes by area: `artifacts`, `code`, `compute_logs`."""
        ...
