"""The audit of a suppression pattern: attack the tables together, and judge what comes out.

Source: Hundepool et al. 2012, chapter 4. What is suppressed must stay open by as much as the policy
says; of what was merely left out, only what may be a small cell is worth anything.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from phems.output_checks.tables.attacker import Attack, Bounds, NoSolutionError, attack
from phems.output_checks.tables.lattice import DoNotAddUpError, Lattice, Layer, Unknown, build, groups_of
from phems.output_checks.tables.table import Coordinates, spelt

_PERCENT = 100
_TINY = 1e-6


@dataclass(frozen=True)
class Rule:
    """When a cell that is not shown is as good as published."""

    counts: bool
    """Whether people are counted; otherwise it is about magnitudes."""
    protection: float
    """What a cell must stay open by: people, or percent of the largest value that it can have."""
    small_cell: float = math.inf

    def is_broken(self, lattice: Lattice, at: Coordinates, bounds: Bounds) -> bool:
        """Whether the bounds of a cell are too narrow."""
        if not self.counts:
            return bounds.width < max(self.protection / _PERCENT * bounds.high, _TINY)
        needed = min(self.protection, lattice.ceilings.get(at, self.protection))
        may_be_small = bounds.low < self.small_cell and bounds.high > 0
        return bounds.width < needed and (lattice.unknown[at] is Unknown.SUPPRESSED or may_be_small)

    def __str__(self) -> str:
        return f"{self.protection:g} {'people' if self.counts else '%'}"


@dataclass
class Audit:
    """What an attack gave: the tables it used, the cells it looked at, and those it worked out."""

    tables: frozenset[str]
    cells: int = 0
    over_fractions: int = 0
    """Of the cells that count people, those that were not attacked over whole numbers."""
    disclosed: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """By the path of each table that a cell is worked out with."""


def audit(layers: Sequence[Layer], rule: Rule, *, deadline: float = math.inf) -> Audit:
    """Attack the tables together until `deadline` (as `time.monotonic`).

    Raises `DoNotAddUpError` and `NoSolutionError` (they contradict each other), `TooManyCellsError` and
    `OutOfTimeError`.
    """
    try:
        return _audit(build(layers, left_out_is_zero=True), layers, rule, deadline)
    except (DoNotAddUpError, NoSolutionError):
        # Then some of what is not in the tables was left out although it is not empty.
        return _audit(build(layers, left_out_is_zero=False), layers, rule, deadline)


def _audit(lattice: Lattice, layers: Sequence[Layer], rule: Rule, deadline: float) -> Audit:
    how = Attack(
        counts=rule.counts,
        negative=any((amount or 0) < 0 for layer in layers for amount in layer.amounts.values()),
        enough=rule.protection if rule.counts else math.inf,
        deadline=deadline,
    )
    result = Audit(frozenset(layer.path for layer in layers))
    wanted = set(Unknown) if rule.counts else {Unknown.SUPPRESSED}
    for equations in groups_of(lattice):
        cells = dict.fromkeys(at for equation in equations for at in equation.cells)
        targets = [at for at in cells if lattice.unknown.get(at) in wanted]
        tables = sorted({path for at in cells for path in lattice.shown_by.get(at, ())})
        for at, bounds in attack(lattice, equations, targets, how).items():
            result.cells += 1
            result.over_fractions += rule.counts and not bounds.is_whole
            if rule.is_broken(lattice, at, bounds):
                for path in tables:
                    result.disclosed[path].append(_shown(lattice, at, bounds, tables))
    return result


def _shown(lattice: Lattice, at: Coordinates, bounds: Bounds, tables: list[str]) -> dict[str, Any]:
    return {
        "cell": spelt(at),
        "why unknown": lattice.unknown[at].value,
        "low": bounds.low,
        "high": bounds.high,
        "tables": tables,
    }
