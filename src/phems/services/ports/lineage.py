"""Lineage events as the use case sees them: where they are kept, what the engine knows, where they go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phems.domain.lineage_events import Document, LineageEvent
from phems.domain.run_lineage import EngineRunFacts


@dataclass(frozen=True, slots=True)
class UntoldRun:
    """A run whose end no event tells yet. `has_begun`: its start is told."""

    run_id: str
    project: str
    has_begun: bool


@dataclass(frozen=True, slots=True)
class TargetState:
    """How far a place has been told. `number` is the last event that it has; `failure` is empty when well."""

    number: int = 0
    attempts: int = 0
    due_at: datetime | None = None
    failure: str = ""


class LineageStore(Protocol):
    """The events, numbered in the order in which they were committed, within one transaction."""

    def untold(self) -> Sequence[UntoldRun]:
        """The runs that were asked for and whose end is not told yet, oldest first."""
        ...

    def add(self, events: Collection[LineageEvent]) -> None:
        """Keep events; one that is there already stays as it was. Waits for others who add."""
        ...

    def begun(self, run_id: str) -> None:
        """The start of a run is told."""
        ...

    def ended(self, run_id: str) -> None:
        """The end of a run is told: nothing more is to come of it."""
        ...

    def last_of_run(self, run_id: str) -> Document | None:
        """The event of a run's end."""
        ...

    def after(self, number: int, *, limit: int) -> Sequence[tuple[int, bytes]]:
        """Events that were kept after the one with this number, in their order: number and JSON."""
        ...

    def waiting(self, name: str) -> int:
        """How many events a place has not been told."""
        ...

    def target(self, name: str) -> TargetState:
        """How far a place has been told."""
        ...

    def moved(self, name: str, number: int) -> None:
        """A place has all up to this number, and is well."""
        ...

    def failed(self, name: str, failure: str, due_at: datetime) -> None:
        """A place took nothing; it is tried again then."""
        ...


class EngineLineage(Protocol):
    """What the engine knows of runs, and their code said of them."""

    def statuses(self, run_ids: Collection[str]) -> Mapping[str, str]:
        """Dagster's word for how each run stands; one that it does not know is left out."""
        ...

    def facts(self, run_id: str) -> EngineRunFacts | None:
        """A run; None when it is not known."""
        ...

    def planned(self, names: Collection[str]) -> frozenset[str]:
        """Those of the names that are of assets which a run was planned to make."""
        ...


class CodeWords(Protocol):
    """The approved code, as words."""

    def found(self, project: str, digest: str, names: Collection[str]) -> frozenset[str]:
        """Those of the names that stand as words in the files of a code revision."""
        ...


class LineageTarget(Protocol):
    """A place in the node that events go to: a file, or a collector."""

    at_once: int
    """How many events it takes at a time: all or none."""

    def send(self, events: Sequence[bytes]) -> None:
        """Hand events over, as JSON. UnavailableError when it did not take them, without a word of them."""
        ...
