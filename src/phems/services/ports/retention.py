"""What ended runs left behind, as the use case of a purge sees it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from phems.domain.retention import Area, EndedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What a run has in an area: `items` are files, or events."""

    run_id: str
    items: int
    bytes: int


class RunLeftovers(Protocol):
    """What the runs of projects left, area by area."""

    def runs(self, project: str) -> Sequence[EndedRun]:
        """The project's runs, with what holds them back as far as the engine knows."""
        ...

    def measure(self, project: str, area: Area, run_ids: Sequence[str]) -> Sequence[Leftover]:
        """What there is of these runs, in their order; those without anything are left out."""
        ...

    def remove(self, project: str, area: Area, run_ids: Sequence[str]) -> None:
        """Remove it. Idempotent."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """No backup and no other purge meanwhile; ConflictError when one is under way."""
        ...
