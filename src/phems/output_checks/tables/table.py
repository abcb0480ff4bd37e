"""A declared table as the checks see it: cells, each named by the people that it is about.

A cell is named by the categories that single out its people (`sex=F, stage=IV`); a row of totals leaves
the dimension out (`sex=F`). So two tables about one population share a cell when they share its name,
whatever their columns are called or sorted by, and every total is the sum of the cells below it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

Coordinates = frozenset[tuple[str, str]]
"""The (dimension, category) pairs that single out the people of a cell; none of them: everybody."""

EVERYBODY: Coordinates = frozenset()

_LONGEST_NAME = 200


@lru_cache(maxsize=1 << 15)
def folded(text: str) -> str:
    """A name as it is compared: neither case, nor blanks, nor the way a letter is encoded tell two apart."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def spelt(at: Iterable[tuple[str, str]]) -> str:
    """The name of a cell for people, shortened where it is long."""
    name = ", ".join(f"{dimension}={category}" for dimension, category in sorted(at)) or "everybody"
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what it is about, and its numbers. A number is None where it is suppressed or not declared."""

    number: int
    """Counted from 1, without the header."""
    at: Coordinates
    count: int | None = None
    value: float | None = None
    contributors: int | None = None
    largest: tuple[float, ...] = ()
    """What the largest contributors brought, from the largest on."""
    suppressed: frozenset[str] = frozenset()
    """The declared columns that are suppressed in this row."""
    beside: tuple[str, ...] = ()
    """Columns that the declaration does not name and that hold a number in this row."""


@dataclass(frozen=True)
class DeclaredTable:
    """A table and what its author declared of it."""

    path: str
    kind: str
    unit: str
    population: str
    """Folded; empty when the author named none."""
    dimensions: tuple[str, ...]
    """Folded, as in the coordinates."""
    count: str | None
    """The column that counts the units; None when there is none."""
    value: str | None
    contributors: str | None
    """The column that counts the contributors to `value`."""
    largest: tuple[str, ...]
    marks_suppressed: bool
    """Whether suppressed cells stand in the table with a mark, rather than being left out."""
    ceiling: int | None
    """The most that the mark itself admits ('<10': 9); None when it says nothing."""
    resolution: float
    """The last decimal of `value` (0.01 for two decimals)."""
    other_columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def is_additive(self) -> bool:
        """Whether totals are sums of cells: so with counts of people, not with people at risk at a time."""
        return self.kind in {"frequency", "magnitude"}

    @cached_property
    def counts(self) -> Mapping[Coordinates, int | None]:
        """How many units are behind each cell; None where that is suppressed."""
        column = self.count or self.contributors
        if column is None:
            return {}
        return {row.at: row.count if self.count else row.contributors for row in self.rows}

    @cached_property
    def values(self) -> Mapping[Coordinates, float | None]:
        """The magnitude of each cell; None where it is suppressed."""
        return {row.at: row.value for row in self.rows} if self.value else {}

    @cached_property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """The categories of each dimension, in their order."""
        found: dict[str, dict[str, None]] = {dimension: {} for dimension in self.dimensions}
        for row in self.rows:
            for dimension, category in row.at:
                found[dimension][category] = None
        return {dimension: tuple(categories) for dimension, categories in found.items()}
