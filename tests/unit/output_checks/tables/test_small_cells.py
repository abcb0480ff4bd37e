"""Small cells: few people behind a number, or a number beside a count that was suppressed."""

from __future__ import annotations

import pytest
from tests.unit.output_checks.tables.conftest import PATIENTS, Desk, of

from phems.domain.output_checks import Verdict
from phems.output_checks.tables import small_cells

HEAD = "sex,stage,patients\n"
MEANS = {
    **PATIENTS,
    "kind": "magnitude",
    "count": None,
    "value": "cost",
    "contributors": {"count": "patients"},
}


@pytest.mark.parametrize(("count", "fails"), [(1, True), (9, True), (10, False), (0, False)])
def test_the_threshold(desk: Desk, count: int, fails: bool) -> None:
    """Otherwise a count of a few people would leave the node unseen."""
    desk.add("a.csv", f"{HEAD}F,I,40\nM,I,{count}\nM,II,80\n", PATIENTS)
    found = desk.ask(small_cells.CHECK)
    assert bool(of(found, Verdict.FAIL)) is fails
    assert bool(of(found, Verdict.PASS)) is not fails
    if fails:
        assert of(found, Verdict.FAIL)[0].evidence["cells"] == [
            {"row": 2, "cell": "sex=m, stage=i", "count": count}
        ]


def test_a_small_total_is_small(desk: Desk) -> None:
    """Otherwise a total could be what no cell may be."""
    desk.add("a.csv", f"{HEAD}F,I,*\nF,Total,7\n", PATIENTS)
    assert of(desk.ask(small_cells.CHECK), Verdict.FAIL)


@pytest.mark.parametrize(("rule", "verdict"), [("allow", None), ("review", "review"), ("fail", "fail")])
def test_zero_cells_are_what_the_policy_says(desk: Desk, rule: str, verdict: str | None) -> None:
    """Otherwise a node could not choose whether emptiness discloses."""
    desk.add("a.csv", f"{HEAD}F,I,40\nF,II,0\nF,III,60\n", PATIENTS)
    said = [
        each.verdict.value for each in desk.ask(small_cells.CHECK, zero_cells=rule) if "empty" in each.summary
    ]
    assert said == ([verdict] if verdict else [])


def test_everybody_in_one_category_is_for_a_person(desk: Desk) -> None:
    """Otherwise the stage of every woman could be read from a table of large counts."""
    desk.add("a.csv", f"{HEAD}F,I,0\nF,II,60\nM,I,40\nM,II,40\n", PATIENTS)
    [found] = of(desk.ask(small_cells.CHECK), Verdict.REVIEW)
    # All women are in stage II; all in stage I are men.
    assert {"group": "sex=f", "stage": "ii"} in found.evidence["groups"]
    assert {"group": "stage=i", "sex": "m"} in found.evidence["groups"]


def test_a_percentage_beside_a_suppressed_count_fails(desk: Desk) -> None:
    """Otherwise the suppressed count could be reckoned from the share."""
    desk.add("a.csv", "sex,stage,patients,percent\nF,I,*,0.7\nF,II,412,99.3\n", PATIENTS)
    found = desk.ask(small_cells.CHECK)
    assert of(found, Verdict.FAIL)[0].evidence["cells"] == [
        {"row": 1, "cell": "sex=f, stage=i", "columns": ["percent"]}
    ]
    assert of(found, Verdict.REVIEW)[0].evidence["columns"] == ["percent"]


def test_a_sum_of_few_people_is_small(desk: Desk) -> None:
    """Otherwise a magnitude would give away what a count may not."""
    desk.add("a.csv", "sex,stage,patients,cost\nF,I,4,1000\nF,II,40,9000\nM,I,*,700\n", MEANS)
    small, told = of(desk.ask(small_cells.CHECK), Verdict.FAIL)
    assert small.evidence["cells"][0]["count"] == 4
    assert told.evidence["cells"][0]["row"] == 3


def test_a_table_that_counts_nobody_is_for_a_person(desk: Desk) -> None:
    """Otherwise leaving the count out would be the way around the threshold."""
    desk.add("a.csv", "sex,stage,cost\nF,I,1000\n", {**MEANS, "contributors": None})
    assert [each.verdict for each in desk.ask(small_cells.CHECK)] == [Verdict.REVIEW]


def test_an_undeclared_table_is_not_passed(desk: Desk) -> None:
    """Otherwise not declaring would be the way around the threshold."""
    desk.add("a.csv", f"{HEAD}F,I,1\n")
    assert desk.ask(small_cells.CHECK) == []


@pytest.mark.parametrize(("count", "verdict"), [(3, Verdict.FAIL), (30, Verdict.REVIEW)])
def test_a_large_table_is_searched_all_the_same(desk: Desk, count: int, verdict: Verdict) -> None:
    """Otherwise a table would only have to be long enough."""
    rows = "".join(f"F,{index},{'*' if index % 7 == 0 else 40}\n" for index in range(200_000))
    desk.add("a.csv", f"{HEAD}{rows}M,I,{count}\n", PATIENTS)
    [found] = desk.ask(small_cells.CHECK)
    assert found.verdict is verdict
    assert found.evidence["small"] == (1 if verdict is Verdict.FAIL else 0)
    assert found.evidence["read"] + found.evidence["not_read"] == 200_001
