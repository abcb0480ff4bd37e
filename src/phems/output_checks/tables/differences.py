"""Subtracting one table from another: who is in one and not in the other, when they are few.

Two cells of one name are two counts of the same people. Where they differ by fewer people than the
threshold, those few can be singled out by subtraction, though neither count is small (differencing;
Hundepool et al. 2012, chapter 5; SDC Handbook, Griffiths et al., doi:10.6084/m9.figshare.9958520).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from phems.output_checks.tables.table import Coordinates, DeclaredTable

Counts = Mapping[Coordinates, int | None]
"""Counts of people by cell; None where suppressed."""

# Every subset of the dimensions is a margin; with more sums than these, only own rows are compared.
_MOST_SUMS = 2_000_000


@dataclass(frozen=True)
class Difference:
    """Two counts of one cell that are a few people apart."""

    at: Coordinates
    here: int
    there: int


@dataclass(frozen=True)
class Comparison:
    """What two tables say of the cells that they share."""

    shared: int
    """Cells that both count."""
    differences: tuple[Difference, ...]
    """Counts that are fewer people apart than the threshold, and not equal."""
    disagreements: tuple[Difference, ...]
    """Counts that are further apart."""
    uncovered: tuple[Coordinates, ...]
    """Cells that one suppresses and the other shows."""
    is_nested: bool
    """Whether the people of one table may all be among those of the other."""

    @property
    def is_few_apart(self) -> bool:
        """Whether, of two tables one of which may hold the other, the most that they differ by is few."""
        return self.is_nested and self.shared > 1 and bool(self.differences) and not self.disagreements


def with_margins(table: DeclaredTable) -> Counts:
    """The counts of a table, and the totals that can be made of them by adding.

    No total is made of suppressed cells, nor in a table whose own totals are smaller than their parts:
    there one person is in several categories.
    """
    counts = dict(table.counts)
    dimensions = table.dimensions
    if not table.is_additive or len(counts) * 2 ** len(dimensions) > _MOST_SUMS:
        return counts
    sums: dict[Coordinates, int | None] = defaultdict(int)
    for at, count in table.counts.items():
        if len(at) == len(dimensions):
            for size in range(len(dimensions)):
                for kept in combinations(sorted(at), size):
                    margin, so_far = frozenset(kept), sums[frozenset(kept)]
                    sums[margin] = None if count is None or so_far is None else so_far + count
    overlapping = any(
        made is not None and (shown := counts.get(margin)) is not None and made > shown
        for margin, made in sums.items()
    )
    if overlapping:
        return counts
    return counts | {at: made for at, made in sums.items() if made is not None and at not in counts}


def compare(here: Counts, there: Counts, threshold: int) -> Comparison:
    """What the two tables say together; `compare(b, a)` says the same with sides exchanged."""
    differences: list[Difference] = []
    disagreements: list[Difference] = []
    uncovered: list[Coordinates] = []
    signs: set[bool] = set()
    shared = 0
    for at in here.keys() & there.keys():
        one, other = here[at], there[at]
        if one is None or other is None:
            if one != other and (one or 0) + (other or 0):
                uncovered.append(at)
            continue
        shared += 1
        if one != other:
            signs.add(one > other)
            side = differences if abs(one - other) < threshold else disagreements
            side.append(Difference(at, one, other))
    return Comparison(
        shared=shared,
        differences=tuple(sorted(differences, key=lambda each: sorted(each.at))),
        disagreements=tuple(sorted(disagreements, key=lambda each: sorted(each.at))),
        uncovered=tuple(sorted(uncovered, key=sorted)),
        is_nested=len(signs) < 2,  # noqa: PLR2004 - larger here, larger there
    )
