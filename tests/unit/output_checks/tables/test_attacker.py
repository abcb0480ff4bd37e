"""The attacker: what it says of a suppressed cell must be true, and it must see what can be worked out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phems.output_checks.tables import attacker
from phems.output_checks.tables.attacker import Attack, Bounds, NoSolutionError, OutOfTimeError, attack
from phems.output_checks.tables.audit import Audit, Rule, audit
from phems.output_checks.tables.lattice import DoNotAddUpError, Layer, TooManyCellsError, build, groups_of
from phems.output_checks.tables.table import EVERYBODY, Coordinates

Counts = dict[Coordinates, float]
RULE = Rule(counts=True, protection=10, small_cell=10)


def whole(inner: Mapping[Coordinates, float], dimensions: tuple[str, ...]) -> Counts:
    """All cells of a table with all their totals."""
    cells: Counts = {}
    for size in range(len(dimensions) + 1):
        for kept in combinations(dimensions, size):
            for at, amount in inner.items():
                margin = frozenset(pair for pair in at if pair[0] in kept)
                cells[margin] = cells.get(margin, 0) + amount
    return cells


def layer(cells: Mapping[Coordinates, float | None], path: str = "a.csv", **more: object) -> Layer:
    dimensions = tuple(sorted({name for at in cells for name, _ in at}))
    categories = {
        dimension: tuple(sorted({category for at in cells for name, category in at if name == dimension}))
        for dimension in dimensions
    }
    return Layer(path, dimensions, categories, dict(cells), **more)  # type: ignore[arg-type]


def hidden(cells: Counts, suppressed: set[Coordinates]) -> dict[Coordinates, float | None]:
    return {at: None if at in suppressed else amount for at, amount in cells.items()}


def attacked(*layers: Layer, left_out_is_zero: bool = True, counts: bool = True) -> dict[Coordinates, Bounds]:
    """The bounds of every unknown cell that some equation holds."""
    lattice = build(layers, left_out_is_zero=left_out_is_zero)
    found: dict[Coordinates, Bounds] = {}
    for equations in groups_of(lattice):
        found |= attack(lattice, equations, list(lattice.unknown), Attack(counts=counts))
    return found


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[str, ...], Counts, set[Coordinates]]:
    """A table of two or three dimensions, with its totals, and cells of it (or totals) to suppress."""
    sizes = draw(st.sampled_from([(2, 2), (2, 3), (3, 3), (2, 2, 2), (2, 2, 3)]))
    dimensions = tuple("xyz"[: len(sizes)])
    axes = [
        [(name, f"{name}{index}") for index in range(size)]
        for name, size in zip(dimensions, sizes, strict=True)
    ]
    inner = {frozenset(pairs): float(draw(st.integers(0, 40))) for pairs in product(*axes)}
    cells = whole(inner, dimensions)
    suppressed = draw(st.sets(st.sampled_from(sorted(cells, key=sorted)), min_size=1, max_size=8))
    return dimensions, cells, suppressed


@settings(max_examples=60, deadline=None)
@given(tables())
def test_the_truth_is_never_out_of_bounds(case: tuple[tuple[str, ...], Counts, set[Coordinates]]) -> None:
    """Otherwise the evidence shown to checkers would be false."""
    _, cells, suppressed = case
    for at, bounds in attacked(layer(hidden(cells, suppressed))).items():
        assert bounds.low <= cells[at] <= bounds.high


@settings(max_examples=25, deadline=None)
@given(tables())
def test_neither_is_it_when_tables_are_linked(
    case: tuple[tuple[str, ...], Counts, set[Coordinates]],
) -> None:
    """Otherwise attacking tables together would mislead."""
    dimensions, cells, suppressed = case
    margin = {at: amount for at, amount in cells.items() if {name for name, _ in at} <= {dimensions[0]}}
    for at, bounds in attacked(layer(hidden(cells, suppressed)), layer(margin, "b.csv")).items():
        assert bounds.low <= cells[at] <= bounds.high


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_bounds_are_those_of_all_tables_that_fit(data: st.DataObject) -> None:
    """Otherwise the attacker would be weaker, or stronger, than one who tries every table."""
    axes = [
        [(name, f"{name}{index}") for index in range(2)] for name in "xyz"[: data.draw(st.integers(2, 3))]
    ]
    dimensions = tuple(axis[0][0] for axis in axes)
    inner_names = [frozenset(pairs) for pairs in product(*axes)]
    inner = {at: float(data.draw(st.integers(0, 4))) for at in inner_names}
    cells = whole(inner, dimensions)
    suppressed = data.draw(st.sets(st.sampled_from(inner_names), min_size=1, max_size=5))
    published = hidden(cells, suppressed)
    fitting = []
    most = range(int(cells[EVERYBODY]) + 1)
    for guess in product(most, repeat=len(suppressed)) if cells[EVERYBODY] < 9 else []:
        tried = inner | dict(zip(sorted(suppressed, key=sorted), map(float, guess), strict=True))
        made = whole(tried, dimensions)
        if all(amount is None or made[at] == amount for at, amount in published.items()):
            fitting.append(tried)
    for at, bounds in attacked(layer(published)).items() if fitting else ():
        assert (bounds.low, bounds.high) == (min(t[at] for t in fitting), max(t[at] for t in fitting))


@settings(max_examples=50, deadline=None)
@given(tables())
def test_a_single_solution_is_always_flagged(
    case: tuple[tuple[str, ...], Counts, set[Coordinates]],
) -> None:
    """Otherwise a suppressed cell that anybody can subtract would leave the node as suppressed."""
    _, cells, suppressed = case
    published = layer(hidden(cells, suppressed))
    determined = {at for at, bounds in attacked(published).items() if bounds.width == 0}
    found = audit([published], RULE)
    told = {cell["cell"] for cells in found.disclosed.values() for cell in cells}
    assert len(told) >= len(determined & suppressed)
    if len(suppressed) == 1 and len(next(iter(suppressed))):
        assert told


X, Y = ("x", "x0"), ("y", "y0")
X1, Y1 = ("x", "x1"), ("y", "y1")
SQUARE = whole(
    {
        frozenset({X, Y}): 4.0,
        frozenset({X, Y1}): 60.0,
        frozenset({X1, Y}): 70.0,
        frozenset({X1, Y1}): 80.0,
    },
    ("x", "y"),
)


def disclosed(found: Audit) -> list[str]:
    return sorted({cell["cell"] for cells in found.disclosed.values() for cell in cells})


@pytest.mark.parametrize(
    ("suppressed", "worked_out"),
    [
        # One cell: subtract.
        ([{X, Y}], ["x=x0, y=y0"]),
        # Two in a row: each is alone in its column.
        ([{X, Y}, {X, Y1}], ["x=x0, y=y0", "x=x0, y=y1"]),
        # A square of four: open.
        ([{X, Y}, {X, Y1}, {X1, Y}, {X1, Y1}], []),
        # A cell and its row and column: the other rows and the whole give them back.
        ([{X, Y}, {X}, {Y}], ["x=x0", "x=x0, y=y0", "y=y0"]),
        # The whole as well: nothing is left to subtract from.
        ([{X, Y}, {X}, {Y}, set()], []),
    ],
)
def test_suppression_patterns(suppressed: list[set[tuple[str, str]]], worked_out: list[str]) -> None:
    """Otherwise a pattern that does not protect would pass, or one that does be turned away."""
    cells = hidden(SQUARE, {frozenset(at) for at in suppressed})
    assert disclosed(audit([layer(cells)], RULE)) == worked_out


def test_a_narrow_square_does_not_protect() -> None:
    """Otherwise two solutions that hardly differ would count as protection."""
    cells = whole({at: amount / 10 for at, amount in SQUARE.items() if len(at) == 2}, ("x", "y"))
    inner = {at for at in cells if len(at) == 2}
    cells = whole({at: float(int(cells[at])) for at in inner}, ("x", "y"))
    assert len(disclosed(audit([layer(hidden(cells, inner))], RULE))) == 4


def test_rows_left_out_are_worked_out_like_suppressed_ones() -> None:
    """Otherwise deleting the row of a small cell would pass for hiding it."""
    cells = {at: amount for at, amount in SQUARE.items() if at != frozenset({X, Y})}
    found = audit([layer(cells, marks_suppressed=False)], RULE)
    assert disclosed(found) == ["x=x0, y=y0"]
    assert found.disclosed["a.csv"][0] | {"tables": []} == {
        "cell": "x=x0, y=y0",
        "why unknown": "left out",
        "low": 4,
        "high": 4,
        "tables": [],
    }


def test_a_category_that_is_not_listed_is_counted() -> None:
    """Otherwise the three patients of no listed stage could be read off the total."""
    cells = {EVERYBODY: 103.0, frozenset({X}): 40.0, frozenset({X1}): 60.0}
    [cell] = audit([layer(cells)], RULE).disclosed["a.csv"]
    assert (cell["low"], cell["high"]) == (3, 3)
    assert "none of: x0 | x1" in cell["cell"]


def test_cells_that_nobody_is_in_are_no_secret() -> None:
    """Otherwise every table of grouped data, which has no rows for empty groups, would fail."""
    cells = {at: amount for at, amount in SQUARE.items() if at != frozenset({X, Y})}
    cells |= {frozenset({X}): 60.0, frozenset({Y}): 70.0, EVERYBODY: 210.0}
    assert not audit([layer(cells, marks_suppressed=False)], RULE).disclosed


def test_a_linked_table_gives_the_cell_away() -> None:
    """Otherwise each table would be safe by itself, and both together not."""
    by_both = layer({at: None if at == frozenset({X, Y}) else SQUARE[at] for at in SQUARE if len(at) == 2})
    by_x = layer({at: SQUARE[at] for at in SQUARE if len(at) == 1 and at <= {X, X1}}, "b.csv")
    assert not audit([by_both], RULE).disclosed
    assert not audit([by_x], RULE).disclosed
    together = audit([by_both, by_x], RULE).disclosed
    assert set(together) == {"a.csv", "b.csv"}
    assert together["a.csv"][0]["tables"] == ["a.csv", "b.csv"]


def test_a_mark_that_says_how_few_is_known_to_the_attacker() -> None:
    """Otherwise '<10' would be taken for a mark that says nothing."""
    inner = {at for at in SQUARE if len(at) == 2}
    cells = hidden(SQUARE, inner)
    assert attacked(layer(cells, ceiling=200.0))[frozenset({X1, Y1})].high == 140
    bounds = attacked(layer(cells | {frozenset({X, Y1}): 60.0, frozenset({X1, Y1}): 80.0}, ceiling=100.0))
    assert bounds[frozenset({X, Y})] == Bounds(4, 4, is_whole=True)


def test_magnitudes_are_open_by_a_share() -> None:
    """Otherwise a cost could be worked out to the last percent."""
    cells = {at: amount * 10.37 for at, amount in SQUARE.items()}
    rule = Rule(counts=False, protection=10)
    one = layer(hidden(cells, {frozenset({X1, Y1})}), tolerance=0.005)
    assert disclosed(audit([one], rule)) == ["x=x1, y=y1"]
    four = layer(hidden(cells, {at for at in cells if len(at) == 2}), tolerance=0.005)
    assert disclosed(audit([four], rule)) == []
    # Where magnitudes may be negative, nothing is known of two of them but their sum.
    two = {frozenset({X1, Y1}), frozenset({X1, Y}), frozenset({Y}), frozenset({Y1})}
    negative = {at: -amount for at, amount in cells.items()}
    assert not audit([layer(hidden(negative, two), tolerance=0.005)], rule).disclosed


def test_tables_that_do_not_add_up_are_said_not_to() -> None:
    """Otherwise rounded or overlapping numbers would be attacked as if they were exact."""
    with pytest.raises(DoNotAddUpError):
        audit([layer(SQUARE | {EVERYBODY: 200.0})], RULE)
    with pytest.raises(DoNotAddUpError):
        audit([layer(SQUARE), layer(SQUARE | {frozenset({X}): 65.0}, "b.csv")], RULE)
    suppressed = {frozenset({X, Y}), frozenset({X1, Y})}
    with pytest.raises(NoSolutionError):
        audit([layer(hidden(SQUARE | {frozenset({X}): 50.0}, suppressed))], RULE)


def test_an_attack_is_bounded_in_size_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one table could keep the node busy for ever."""
    axes = [[(name, str(index)) for index in range(40)] for name in "xyz"]
    with pytest.raises(TooManyCellsError):
        build([layer({frozenset(pairs): 1.0 for pairs in product(*axes)})], left_out_is_zero=True)
    cells = layer(hidden(SQUARE, {at for at in SQUARE if len(at) == 2}))
    with pytest.raises(OutOfTimeError):
        audit([cells], RULE, deadline=0.0)
    # Whole numbers that cannot be found in time give way to fractions, and it is said.
    monkeypatch.setattr(attacker, "_SECONDS_FOR_WHOLE", -1.0)
    monkeypatch.setattr(attacker, "_MOST_WHOLE", 0)
    found = audit([cells], RULE)
    assert found.over_fractions == found.cells == 4


def test_what_nothing_bounds_is_open() -> None:
    """Otherwise a large number of ours would be shown as a bound of theirs."""
    bounds = attacked(layer({frozenset({X}): None, frozenset({X1}): 5.0}))
    assert bounds[frozenset({X})].high == math.inf
