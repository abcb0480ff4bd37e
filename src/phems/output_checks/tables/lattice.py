"""Published tables as equations: every total is the sum of its parts, in every table, over shared names.

The cells of all tables of one population are put into one system. A cell is known when a table shows
it; it is unknown when it is suppressed, left out of a table, or a total that no table shows. Where the
shown parts of a shown total do not make it up, there is a category that the table does not list.

Sources: Hundepool et al. 2012, chapter 4 (audit of suppression patterns, linked tables); Fischetti and
Salazar-Gonzalez 2001, Management Science 47(7), for tables with linear constraints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from math import prod

from phems.output_checks.tables.table import Coordinates, DeclaredTable

_NOT_LISTED = "none of: "
MAX_CELLS = 40_000
_DECIMAL_SLACK = 0.5


class Unknown(StrEnum):
    """Why a cell is unknown."""

    SUPPRESSED = "suppressed"
    LEFT_OUT = "left out"
    TOTAL = "total that is not shown"


class TooManyCellsError(Exception):
    """The tables have more cells than an attack is worth."""


class DoNotAddUpError(Exception):
    """Shown totals are not the sums of shown parts: rounded numbers, overlapping categories, means."""


@dataclass(frozen=True)
class Layer:
    """One quantity of one table: its counts, or its values."""

    path: str
    dimensions: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    amounts: Mapping[Coordinates, float | None]
    """None where suppressed."""
    marks_suppressed: bool = True
    """Cells that are not there are empty; otherwise they may have been left out to suppress them."""
    ceiling: float | None = None
    """The most that a suppressed cell can be, as its mark says."""
    tolerance: float = 0.0
    """How far a shown number may be from the true one: half its last decimal."""


def count_layer(table: DeclaredTable) -> Layer:
    """How many people are behind the cells of a table."""
    return Layer(
        table.path,
        table.dimensions,
        table.categories,
        dict(table.counts),
        table.marks_suppressed,
        table.ceiling,
    )


def value_layer(table: DeclaredTable) -> Layer:
    """The magnitudes of the cells of a table."""
    return Layer(
        table.path,
        table.dimensions,
        table.categories,
        dict(table.values),
        table.marks_suppressed,
        tolerance=_DECIMAL_SLACK * table.resolution,
    )


@dataclass(frozen=True)
class Equation:
    """A total and its parts."""

    total: Coordinates
    parts: tuple[Coordinates, ...]
    tolerance: float

    @property
    def cells(self) -> tuple[Coordinates, ...]:
        """The total and its parts."""
        return (self.total, *self.parts)


@dataclass
class Lattice:
    """The cells of several tables, and what holds between them."""

    known: dict[Coordinates, float] = field(default_factory=dict)
    unknown: dict[Coordinates, Unknown] = field(default_factory=dict)
    ceilings: dict[Coordinates, float] = field(default_factory=dict)
    shown_by: dict[Coordinates, set[str]] = field(default_factory=dict)
    """The tables that a cell stands in, known or suppressed."""
    equations: list[Equation] = field(default_factory=list)


def build(layers: Sequence[Layer], *, left_out_is_zero: bool, most: int = MAX_CELLS) -> Lattice:
    """The system of all layers.

    `left_out_is_zero`: in tables that mark what they suppress, a cell that is not there is empty.
    Raises `TooManyCellsError`, and `DoNotAddUpError` where known cells contradict each other.
    """
    lattice = Lattice()
    if sum(prod(len(each) + 1 for each in layer.categories.values()) for layer in layers) > most:
        raise TooManyCellsError(f"more than {most:,} cells with their totals")
    axes = [_axes(layer) for layer in layers]
    for layer in layers:
        _show(lattice, layer)
    for layer, each in zip(layers, axes, strict=True):
        _close(lattice, layer, each, left_out_is_zero=left_out_is_zero and layer.marks_suppressed)
    if not any(layer.tolerance for layer in layers):
        _add_up(lattice)
    _check(lattice)
    return lattice


def _axes(layer: Layer) -> list[list[tuple[str, str]]]:
    """The (dimension, category) pairs along each dimension, an unlisted category included where one is."""
    axes = []
    for dimension in layer.dimensions:
        axis = [(dimension, category) for category in layer.categories[dimension]]
        if axis and _has_unlisted(layer, axis):
            # Two tables with other categories leave other people unlisted.
            names = sorted(layer.categories[dimension])
            axis.append((dimension, _NOT_LISTED + " | ".join(names)))
        axes.append(axis)
    return axes


def _has_unlisted(layer: Layer, axis: Sequence[tuple[str, str]]) -> bool:
    """Whether some shown total is more than all its parts, which are all shown."""
    dimension = axis[0][0]
    for total, amount in layer.amounts.items():
        if amount is None or any(name == dimension for name, _ in total):
            continue
        parts = [layer.amounts.get(total | {pair}) for pair in axis]
        shown = [part for part in parts if part is not None]
        if len(shown) == len(axis) and amount - sum(shown) > layer.tolerance * (len(axis) + 1):
            return True
    return False


def _show(lattice: Lattice, layer: Layer) -> None:
    """Enter what a table shows and suppresses."""
    for at, amount in layer.amounts.items():
        lattice.shown_by.setdefault(at, set()).add(layer.path)
        if amount is None:
            lattice.unknown.setdefault(at, Unknown.SUPPRESSED)
            if layer.ceiling is not None:
                lattice.ceilings[at] = min(layer.ceiling, lattice.ceilings.get(at, layer.ceiling))
            continue
        before = lattice.known.setdefault(at, amount)
        if abs(before - amount) > 2 * layer.tolerance:
            raise DoNotAddUpError(f"two tables give different numbers for {sorted(at)}")
    for at in lattice.known:
        lattice.unknown.pop(at, None)


def _close(
    lattice: Lattice, layer: Layer, axes: Sequence[Sequence[tuple[str, str]]], *, left_out_is_zero: bool
) -> None:
    """Enter all totals of a table, those not shown included, and what they are the sums of."""
    for pairs in product(*((*axis, None) for axis in axes)):
        at = frozenset(pair for pair in pairs if pair is not None)
        if at not in lattice.known and at not in lattice.unknown:
            is_total = None in pairs
            is_unlisted = any(category.startswith(_NOT_LISTED) for _, category in at)
            if left_out_is_zero and not is_total and not is_unlisted:
                lattice.known[at] = 0.0
            else:
                lattice.unknown[at] = Unknown.TOTAL if is_total and not is_unlisted else Unknown.LEFT_OUT
        for axis, pair in zip(axes, pairs, strict=True):
            if pair is None and axis:
                parts = tuple(at | {part} for part in axis)
                tolerance = layer.tolerance * (len(parts) + 1)
                lattice.equations.append(Equation(at, parts, tolerance))


def _add_up(lattice: Lattice) -> None:
    """Totals that no table shows, of parts that are all known, are as good as shown."""
    # Totals over more dimensions are made of totals over fewer.
    for equation in sorted(lattice.equations, key=lambda each: -len(each.total)):
        if lattice.unknown.get(equation.total) is Unknown.TOTAL and all(
            part in lattice.known for part in equation.parts
        ):
            del lattice.unknown[equation.total]
            lattice.known[equation.total] = sum(lattice.known[part] for part in equation.parts)


def _check(lattice: Lattice) -> None:
    for equation in lattice.equations:
        if not lattice.unknown.keys().isdisjoint(equation.cells):
            continue
        off = lattice.known[equation.total] - sum(lattice.known[part] for part in equation.parts)
        scale = max(1.0, abs(lattice.known[equation.total]))
        if abs(off) > equation.tolerance + 1e-9 * scale:
            raise DoNotAddUpError("a shown total is not the sum of its parts")


def groups_of(lattice: Lattice) -> Iterator[list[Equation]]:
    """Equations that hang together by unknown cells: each group is a problem of its own."""
    leader: dict[Coordinates, Coordinates] = {at: at for at in lattice.unknown}

    def find(at: Coordinates) -> Coordinates:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    open_equations = [
        (equation, [at for at in equation.cells if at in lattice.unknown]) for equation in lattice.equations
    ]
    for _, cells in open_equations:
        for other in cells[1:]:
            leader[find(cells[0])] = find(other)
    groups: dict[Coordinates, list[Equation]] = {}
    for equation, cells in open_equations:
        if cells:
            groups.setdefault(find(cells[0]), []).append(equation)
    yield from groups.values()
