"""Runs as the engine has them on record. Names of jobs and partitions are project code's: for members."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """One run. `number` grows with each run; `status` is Dagster's word, such as SUCCESS.

    `job` is None for a run of assets. `requester` is as the node stamped it: a person, or `schedule:` and the
    schedule's name; None for a run that was refused when it was asked for.
    """

    number: int
    run_id: str
    project: str
    job: str | None
    status: str
    partition: str | None
    requester: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    mlflow: str | None = None
    """The address of its MLflow run, at the gateway."""


class EngineRunHistory(Protocol):
    """The engine's runs, a project's or a person's at a time; nothing for a node that never served."""

    def of_project(self, project: str, *, before: int | None, limit: int) -> Sequence[EngineRun]:
        """A project's runs, the last made first; `before` is the number of the run that a page ended with."""
        ...

    def one(self, project: str, run_id: str) -> EngineRun | None:
        """A run of the project; None for another's, as for one that is not there."""
        ...

    def refusal(self, run_id: str) -> str | None:
        """Why the node refused a run, in its own words; None when it did not."""
        ...

    def of_person(
        self,
        person: str,
        projects: Collection[str],
        *,
        statuses: Collection[str],
        since: datetime,
        limit: int,
    ) -> Sequence[EngineRun]:
        """The runs that a person asked for since then, the last made first."""
        ...
