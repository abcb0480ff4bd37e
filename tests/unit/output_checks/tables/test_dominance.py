"""Dominance: sums that are one or two people's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.output_checks.tables.conftest import Desk, of

from phems.domain.output_checks import Verdict
from phems.output_checks.tables import dominance
from phems.output_checks.tables.dominance import CannotTell, Rule, broken_rules
from phems.output_checks.tables.table import EVERYBODY, Row

RULE = Rule(n=2, k=90, p=10)
COSTS: dict[str, Any] = {
    "kind": "magnitude",
    "dimensions": ["ward"],
    "value": "cost",
    "contributors": {"count": "n", "largest": ["x1", "x2"]},
    "population": "registry",
}
PLAIN = {**COSTS, "contributors": {"count": "n"}, "links": ["largest.csv"]}


def row(value: float, *largest: float, n: int | None = 20) -> Row:
    return Row(1, EVERYBODY, value=value, contributors=n, largest=largest)


@pytest.mark.parametrize(
    ("cell", "rules"),
    [
        (row(1000, 500, 400), {"n-k"}),
        (row(1000, 850, 100), {"n-k", "p-ratio"}),
        (row(1000, 100, 90), set()),
        (row(1000, 899, 0), set()),
        (row(1000, 910, 0), {"n-k", "p-ratio"}),
        (row(0, 0, 0), set()),
        # A mean of 50 over 20 people is a sum of 1000.
        (row(50, 100, 90), set()),
        (row(50, 850, 100), {"n-k", "p-ratio"}),
        (row(1000, 1000, n=1), {"n-k", "p-ratio"}),
    ],
)
def test_the_rules(cell: Row, rules: set[str]) -> None:
    """Otherwise who knows their own part could reckon another's."""
    assert set(broken_rules(cell, RULE)) == rules


@pytest.mark.parametrize(
    "cell",
    [row(100), row(-5, 3, 2), row(100, 50, -1), row(100, 60), row(100, 99, 99), row(5, 50, 20, n=None)],
)
def test_what_cannot_be_told_is_not_passed(cell: Row) -> None:
    """Otherwise a missing number would make a cell safe."""
    with pytest.raises(CannotTell):
        broken_rules(cell, RULE)


@given(st.lists(st.integers(1, 10_000), min_size=3, max_size=30))
def test_sum_and_mean_are_judged_alike(parts: list[int]) -> None:
    """Otherwise publishing the mean would get around the rule for the sum."""
    parts.sort(reverse=True)
    total, few = float(sum(parts)), map(float, parts[:2])
    largest = tuple(few)
    as_sum = broken_rules(row(total, *largest, n=len(parts)), RULE)
    mean = total / len(parts)
    if mean < largest[0] * 0.999999:
        assert broken_rules(row(mean, *largest, n=len(parts)), RULE).keys() == as_sum.keys()


def test_contributions_in_a_supporting_file(desk: Desk) -> None:
    """Otherwise dominance could only be shown by releasing what single people contributed."""
    table = desk.add("costs.csv", "ward,cost,n\nA,1000,20\nB,1000,20\n", PLAIN)
    desk.support("largest.csv", "ward,cost,n,x1,x2\nA,1000,20,90,80\nB,1000,20,900,50\n", COSTS)
    [found] = [each for each in desk.ask(dominance.CHECK) if each.path == table.path]
    assert found.verdict is Verdict.FAIL
    assert [cell["cell"] for cell in found.evidence["cells"]] == ["ward=b"]


def test_contributions_of_single_people_are_not_for_release(desk: Desk) -> None:
    """Otherwise the proof of safety would itself be the disclosure."""
    desk.add("costs.csv", "ward,cost,n,x1,x2\nA,1000,20,90,80\n", COSTS)
    found = desk.ask(dominance.CHECK)
    assert [each.verdict for each in found] == [Verdict.FAIL, Verdict.PASS]
    assert found[0].evidence["columns"] == ["x1", "x2"]


def test_undeclared_contributions_are_for_a_person(desk: Desk) -> None:
    """Otherwise a magnitude table would pass for leaving them out."""
    desk.add("costs.csv", "ward,cost,n\nA,1000,20\n", PLAIN)
    [found] = desk.ask(dominance.CHECK)
    assert found.verdict is Verdict.REVIEW
    assert found.evidence["remedy"]


def test_suppressed_cells_are_left_alone(desk: Desk) -> None:
    """Otherwise suppressing a dominated cell would not help."""
    declaration = {**PLAIN, "suppressed": "*"}
    desk.add("costs.csv", "ward,cost,n\nA,1000,20\nB,*,20\n", declaration)
    desk.support("largest.csv", "ward,cost,n,x1,x2\nA,1000,20,90,80\nB,1000,20,900,50\n", COSTS)
    assert not of(desk.ask(dominance.CHECK), Verdict.REVIEW)
    assert [each.verdict for each in desk.ask(dominance.CHECK) if "costs" in str(each.path)] == [Verdict.PASS]
