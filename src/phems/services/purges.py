"""Purges: what ended runs left is removed once it is older than the project's retention says.

What is removed is recorded before it is: a purge that is killed has named all that it took, and maybe more,
and the next one takes the rest. A dry run works the same list out, and stops there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from phems.domain.actors import Actor
from phems.domain.retention import Area, EndedRun, Hold, Rule, chosen
from phems.services.ports import Governance, Transaction
from phems.services.ports.clock import Clock
from phems.services.ports.retention import Leftover, RunLeftovers

BATCH = 500
"""How many runs one audit entry names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What is to go, or went, of one area of one project."""

    project: str
    area: Area
    days: int
    """The rule: how long it is kept."""
    runs: tuple[str, ...]
    items: int
    """Events, or files."""
    bytes: int


class Purges:
    """Purges of one node; `rule_of` is each project's retention."""

    def __init__(
        self, governance: Governance, leftovers: RunLeftovers, rule_of: Callable[[str], Rule], clock: Clock
    ) -> None:
        self._governance = governance
        self._leftovers = leftovers
        self._rule_of = rule_of
        self._clock = clock

    def plan(self, project: str) -> list[Purged]:
        """What a purge of the project would remove now."""
        rule = self._rule_of(project)
        if not any(rule.values()):
            return []
        with self._governance.transaction() as tx:
            runs = self._runs(tx, project)
        found = []
        for area, due in chosen(runs, rule, self._clock.now()).items():
            left = self._leftovers.measure(project, area, [run.run_id for run in due])
            if left:
                found.append(_purged(project, area, rule[area] or 0, left))
        return found

    def purge(self, actor: Actor, project: str) -> list[Purged]:
        """Remove it; each part is recorded first."""
        with self._leftovers.held():
            planned = self.plan(project)
            for part in planned:
                for start in range(0, len(part.runs), BATCH):
                    self._remove(actor, part, part.runs[start : start + BATCH])
        return planned

    def _remove(self, actor: Actor, part: Purged, batch: Sequence[str]) -> None:
        with self._governance.transaction() as tx:
            # Asked once more: a request may name one of them since.
            named = tx.releases.runs_named(part.project)
            runs = [run for run in batch if run not in named]
            left = self._leftovers.measure(part.project, part.area, runs)
            if not left:
                return
            going = _purged(part.project, part.area, part.days, left)
            details = {
                "area": going.area.value,
                "older_than_days": going.days,
                "runs": list(going.runs),
                "items": going.items,
                "bytes": going.bytes,
            }
            tx.audit.append(actor, "project.purge", part.project, project=part.project, details=details)
        self._leftovers.remove(part.project, part.area, going.runs)

    def _runs(self, tx: Transaction, project: str) -> list[EndedRun]:
        named = tx.releases.runs_named(project)
        return [
            replace(run, holds=run.holds | {Hold.RELEASE}) if run.run_id in named else run
            for run in self._leftovers.runs(project)
        ]


def _purged(project: str, area: Area, days: int, left: Sequence[Leftover]) -> Purged:
    return Purged(
        project=project,
        area=area,
        days=days,
        runs=tuple(each.run_id for each in left),
        items=sum(each.items for each in left),
        bytes=sum(each.bytes for each in left),
    )
