"""The check of suppressed cells over a request and its past."""

from __future__ import annotations

import json

import pytest
from tests.unit.output_checks.tables.conftest import PATIENTS, Desk, of

from phems.domain.output_checks import Verdict
from phems.output_checks.tables import suppression

HEAD = "sex,stage,patients\n"
WITH_TOTALS = f"{HEAD}F,I,*\nF,II,60\nF,Total,64\nM,I,70\nM,II,80\nM,Total,150\n"
OPEN = f"{HEAD}F,I,*\nF,II,*\nF,Total,64\nM,I,*\nM,II,*\nM,Total,150\nTotal,I,74\nTotal,II,140\n"
COSTS = {**PATIENTS, "kind": "magnitude", "count": None, "value": "cost"}


def test_a_cell_that_can_be_subtracted_fails_with_its_bounds(desk: Desk) -> None:
    """Otherwise four patients would leave the node as a star."""
    file = desk.add("a.csv", WITH_TOTALS, PATIENTS)
    [found] = desk.ask(suppression.CHECK)
    assert (found.path, found.verdict) == (file.path, Verdict.FAIL)
    [cell] = found.evidence["disclosed"]
    assert (cell["cell"], cell["low"], cell["high"]) == ("sex=f, stage=i", 4, 4)
    json.dumps(found.as_json(), allow_nan=False)


def test_a_pattern_that_holds_passes(desk: Desk) -> None:
    """Otherwise no suppressed table could leave."""
    desk.add("a.csv", OPEN, PATIENTS)
    [found] = desk.ask(suppression.CHECK)
    assert found.verdict is Verdict.PASS
    assert found.evidence["cells"] == 4


@pytest.mark.parametrize(("protection", "verdict"), [(64, Verdict.PASS), (65, Verdict.FAIL)])
def test_the_policy_says_how_open_a_cell_must_be(desk: Desk, protection: int, verdict: Verdict) -> None:
    """Otherwise a node could not ask for more."""
    desk.add("a.csv", OPEN, PATIENTS)
    assert desk.ask(suppression.CHECK, protection=protection)[0].verdict is verdict


def test_an_earlier_release_gives_the_cell_away(desk: Desk) -> None:
    """Otherwise what is safe today would be opened by what left last year."""
    desk.before("sex.csv", "sex,patients\nF,64\nM,150\n", {**PATIENTS, "dimensions": ["sex"]})
    desk.add("a.csv", f"{HEAD}F,I,*\nF,II,60\nM,I,70\nM,II,80\n", PATIENTS)
    [found] = desk.ask(suppression.CHECK)
    assert found.verdict is Verdict.FAIL
    assert set(found.evidence["disclosed"][0]["tables"]) == {desk.files[0].path, desk.history[0].path}


def test_a_new_table_opens_what_an_earlier_one_suppressed(desk: Desk) -> None:
    """Otherwise a harmless table could undo the suppression of one that has left."""
    desk.before("a.csv", f"{HEAD}F,I,*\nF,II,60\nM,I,70\nM,II,80\n", PATIENTS)
    file = desk.add("sex.csv", "sex,patients\nF,64\nM,150\n", {**PATIENTS, "dimensions": ["sex"]})
    [found] = desk.ask(suppression.CHECK)
    assert (found.path, found.verdict) == (file.path, Verdict.FAIL)


def test_an_earlier_table_of_other_numbers_is_left_out_and_said_so(desk: Desk) -> None:
    """Otherwise newer data would either stop every attack, or be passed off as attacked."""
    desk.before("sex.csv", "sex,patients\nF,99\nM,250\n", {**PATIENTS, "dimensions": ["sex"]})
    desk.add("a.csv", OPEN, PATIENTS)
    [found] = desk.ask(suppression.CHECK)
    assert found.verdict is Verdict.REVIEW
    assert "do not fit" in found.summary


def test_tables_that_contradict_each_other_are_attacked_by_themselves(desk: Desk) -> None:
    """Otherwise a second, wrong table would keep the first from being attacked."""
    first = desk.add("a.csv", WITH_TOTALS, PATIENTS)
    desk.add("b.csv", "sex,patients\nF,99\nM,250\n", {**PATIENTS, "dimensions": ["sex"]})
    assert [each.path for each in of(desk.ask(suppression.CHECK), Verdict.FAIL)] == [first.path]


def test_totals_that_are_no_sums_are_for_a_person(desk: Desk) -> None:
    """Otherwise rounded tables would pass as if they had been attacked."""
    desk.add("a.csv", f"{HEAD}F,I,70\nF,II,60\nF,Total,100\n", PATIENTS)
    [found] = desk.ask(suppression.CHECK)
    assert found.verdict is Verdict.REVIEW
    assert "not the sums" in found.summary


def test_a_table_with_nothing_hidden_passes(desk: Desk) -> None:
    """Otherwise plain tables would be held up."""
    desk.add("a.csv", f"{HEAD}F,I,70\nF,II,60\n", PATIENTS)
    assert [each.verdict for each in desk.ask(suppression.CHECK)] == [Verdict.PASS]


def test_magnitudes_are_attacked_as_well(desk: Desk) -> None:
    """Otherwise a suppressed cost could be subtracted."""
    desk.add("a.csv", WITH_TOTALS.replace("patients", "cost").replace("64", "64.50"), COSTS)
    [found] = desk.ask(suppression.CHECK)
    assert found.verdict is Verdict.FAIL
    [cell] = found.evidence["disclosed"]
    assert cell["low"] <= 4.5 <= cell["high"]


def test_an_attack_without_an_end_is_for_a_person(desk: Desk) -> None:
    """Otherwise a table that takes too long would pass."""
    desk.add("a.csv", OPEN, PATIENTS)
    [found] = desk.ask(suppression.CHECK, seconds=0)
    assert found.verdict is Verdict.REVIEW
    assert "did not come to its end" in found.summary
