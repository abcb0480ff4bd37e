"""Which of what ended runs left may go: the rule, and what is held back from it.

Nothing here removes: the rule names runs by area, from facts about them. Kept for ever, and in no area, are
the audit log, all of governance (approvals, capsules, registered outputs, lineage, votes), frozen files
and packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Area(StrEnum):
    """What a run leaves behind, apart from what governance knows of it."""

    EVENT_LOGS = "event_logs"
    COMPUTE_LOGS = "compute_logs"
    ARTIFACTS = "artifacts"


class Hold(StrEnum):
    """Why what a run left stays, however old it is."""

    RELEASE = "release"
    """A release request names one of its files, in whatever state it is."""
    RERUN = "rerun"
    """A run that has not ended goes on from it."""
    ASSET = "asset"
    """It has the last word on an asset, or on a partition of one."""


HOLDS: Mapping[Hold, frozenset[Area]] = {
    Hold.RELEASE: frozenset(Area),
    Hold.RERUN: frozenset(Area),
    # Without its events the asset would look as if it had never been made; its value is nobody's run's.
    Hold.ASSET: frozenset({Area.EVENT_LOGS}),
}
"""What each of them holds back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentUse:
    """A built environment as one project has used it. `days` is the project's rule; None keeps it for ever.

    `is_held`: its code revision may be loaded, or a run on its way or in a release request stands on it.
    """

    project: str
    digest: str
    days: int | None
    is_held: bool
    last_used_at: datetime


def unused(uses: Iterable[EnvironmentUse], now: datetime) -> frozenset[str]:
    """The environments that may go: those that each project which has used them lets go."""
    found = list(uses)
    kept = {
        use.digest
        for use in found
        if use.days is None or use.is_held or now - use.last_used_at <= timedelta(days=use.days)
    }
    return frozenset(use.digest for use in found) - kept


Rule = Mapping[Area, int | None]
"""For how many days after its end what a run left is kept; None for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run as the rule sees it. `ended_at` is None for one that is queued or on its way."""

    run_id: str
    ended_at: datetime | None
    holds: frozenset[Hold] = frozenset()


def is_held(run: EndedRun, area: Area) -> bool:
    """Whether something holds back what the run left in an area."""
    return any(area in HOLDS[hold] for hold in run.holds)


def chosen(runs: Iterable[EndedRun], rule: Rule, now: datetime) -> dict[Area, list[EndedRun]]:
    """The runs whose part may go, by area, those that ended first at the head."""
    ended = sorted(
        ((run.ended_at, run.run_id, run) for run in runs if run.ended_at is not None),
        key=lambda each: each[:2],
    )
    return {
        area: [run for at, _, run in ended if now - at > timedelta(days=days) and not is_held(run, area)]
        for area in Area
        if (days := rule.get(area)) is not None
    }
