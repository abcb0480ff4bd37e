"""What is known of a run's place in the way from data to released bytes: whose it was, its code, its data.

Governance's part is what the node put on record itself. The engine's part is what the run's own code said as
it ran: names of columns among it, so what may be told of them is narrowed first (`phems.domain.told_names`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

Sources = tuple[tuple[str, str], ...]
"""Columns, each with the asset that it is of."""


@dataclass(frozen=True)
class AssetLineage:
    """An asset that a run made. `columns` maps each column to those it was made from, `asset: column`."""

    name: str
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class RunLineage:
    """Where the files of a run come from; what is None is not on record.

    `data` maps each data source that the run could read to its version; `approved_by` are those who approved
    the code revision; `assets` are those of which the author declared where their columns come from.
    """

    run_id: str
    requested_by: str | None = None
    requested_at: datetime | None = None
    admitted_at: datetime | None = None
    capsule: str | None = None
    commit: str | None = None
    code_digest: str | None = None
    approved_by: tuple[str, ...] = ()
    environment_digest: str | None = None
    policy_version: str | None = None
    data: Mapping[str, str] = field(default_factory=dict, hash=False)
    assets: tuple[AssetLineage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EngineStep:
    """A step as its code has it; the copies that a dynamic output makes of it count as one."""

    name: str
    started_at: datetime
    ended_at: datetime | None
    has_failed: bool


@dataclass(frozen=True, kw_only=True)
class EngineAsset:
    """An asset that a run made, by its last materialisation in it."""

    name: str
    step: str
    version: str | None = None
    rows: int | None = None
    columns: tuple[tuple[str, str | None], ...] = ()
    """Name and type."""
    sources: Mapping[str, Sources] = field(default_factory=dict, hash=False)
    inputs: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    """The assets that it was made from, with the version of each where that is known."""

    def without_rows(self) -> EngineAsset:
        """The same, its number of rows not known."""
        return replace(self, rows=None)


@dataclass(frozen=True, kw_only=True)
class EngineRunFacts:
    """A run in the engine. `status` is Dagster's word; `job` is None for a run of assets."""

    run_id: str
    project: str
    job: str | None
    status: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    nominal_at: datetime | None = None
    """When its schedule was to ask for it."""
    steps: tuple[EngineStep, ...] = ()
    assets: tuple[EngineAsset, ...] = ()
