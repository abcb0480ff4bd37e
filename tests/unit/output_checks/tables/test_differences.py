"""Subtracting tables: whoever is in one and not in the other must be seen, whichever comes first."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.output_checks.tables.conftest import PATIENTS, Desk, of

from phems.domain.output_checks import Verdict
from phems.output_checks.tables import differencing, linked
from phems.output_checks.tables.differences import Counts, compare, with_margins
from phems.output_checks.tables.reading import read_table
from phems.output_checks.tables.table import Coordinates

HEAD = "sex,stage,patients\n"
TABLE = f"{HEAD}F,I,140\nF,II,60\nM,I,150\nM,II,90\n"
ONE_LESS = TABLE.replace("90", "89")

cells: st.SearchStrategy[Counts] = st.dictionaries(
    st.sampled_from([frozenset({("x", str(index))}) for index in range(6)]),
    st.one_of(st.none(), st.integers(0, 60)),
)


@given(cells, cells, st.integers(1, 30))
def test_differencing_is_symmetric(
    one: Mapping[Coordinates, int | None], two: Mapping[Coordinates, int | None], threshold: int
) -> None:
    """Otherwise it would matter which of two tables was released first."""
    there, back = compare(one, two, threshold), compare(two, one, threshold)
    assert [(each.at, each.there, each.here) for each in there.differences] == [
        (each.at, each.here, each.there) for each in back.differences
    ]
    assert (there.shared, there.uncovered, there.is_nested) == (back.shared, back.uncovered, back.is_nested)
    assert len(there.disagreements) == len(back.disagreements)


@given(cells, st.integers(1, 30), st.data())
def test_a_patient_more_is_always_seen(counts: dict, threshold: int, data: st.DataObject) -> None:
    """Otherwise a patient could be singled out by leaving them out of a second table."""
    shown = sorted((at for at, count in counts.items() if count is not None), key=sorted)
    few = data.draw(st.integers(1, 40))
    for at in shown:
        found = compare(counts, counts | {at: counts[at] + few}, threshold)
        assert bool(found.differences) is (few < threshold)
        assert bool(found.disagreements) is (few >= threshold)
    assert not compare(counts, counts, threshold).differences


def test_totals_are_made_where_none_are_shown(desk: Desk) -> None:
    """Otherwise two tables by other categories could not be subtracted in their totals."""
    counts = with_margins(read_table(desk.add("a.csv", TABLE, PATIENTS)))
    assert counts[frozenset()] == 440
    assert counts[frozenset({("sex", "f")})] == 200
    hidden = with_margins(read_table(desk.add("b.csv", TABLE.replace("60", "*"), PATIENTS)))
    assert frozenset() not in hidden
    assert hidden[frozenset({("sex", "m")})] == 240
    # With more in the parts than in the whole, somebody is in two of them.
    twice = with_margins(read_table(desk.add("c.csv", f"{TABLE}Total,Total,400\n", PATIENTS)))
    assert frozenset({("sex", "m")}) not in twice


def test_one_patient_apart_from_a_release_fails(desk: Desk) -> None:
    """Otherwise the patient left out of the second table could be read off by subtraction."""
    before = desk.before("counts.csv", TABLE, PATIENTS)
    file = desk.add("counts.csv", ONE_LESS, PATIENTS)
    [found] = desk.ask(differencing.CHECK)
    assert (found.path, found.verdict) == (file.path, Verdict.FAIL)
    assert (found.evidence["other"], found.evidence["request"]) == (before.path, "rr-before")
    assert {"cell": "sex=m, stage=ii", "here": 89, "there": 90, "apart": 1} in found.evidence["cells"]


def test_totals_alone_are_enough(desk: Desk) -> None:
    """Otherwise a table by other categories would hide who is missing from it."""
    desk.before("stage.csv", TABLE, PATIENTS)
    desk.add("age.csv", "age,patients\nyoung,200\nold,239\n", {**PATIENTS, "dimensions": ["age"]})
    [found] = desk.ask(differencing.CHECK)
    assert found.evidence["cells"] == [{"cell": "everybody", "here": 439, "there": 440, "apart": 1}]


def test_leaving_out_a_declaration_does_not_help(desk: Desk) -> None:
    """Otherwise the second table would be compared with nothing."""
    desk.before("counts.csv", TABLE, PATIENTS)
    desk.add("again.csv", ONE_LESS)
    assert of(desk.ask(differencing.CHECK), Verdict.FAIL)


def test_neither_does_another_name_for_the_population(desk: Desk) -> None:
    """Otherwise renaming the population would be the way around differencing."""
    desk.before("counts.csv", TABLE, PATIENTS)
    desk.add("again.csv", ONE_LESS, {**PATIENTS, "population": "somebody else"})
    assert of(desk.ask(differencing.CHECK), Verdict.FAIL)


def test_a_part_of_the_population_is_for_a_person(desk: Desk) -> None:
    """Otherwise the few who are in the whole and not in the part would not be noticed."""
    desk.before("counts.csv", TABLE, PATIENTS)
    part = f"{HEAD}F,I,70\nF,II,30\nM,I,75\nM,II,88\n"
    desk.add("part.csv", part, {**PATIENTS, "population": "adults"})
    assert [each.verdict for each in desk.ask(differencing.CHECK)] == [Verdict.REVIEW]


def test_unlike_populations_are_let_be(desk: Desk) -> None:
    """Otherwise two hospitals with like numbers could never both be shown."""
    desk.before("counts.csv", TABLE, PATIENTS)
    other = f"{HEAD}F,I,138\nF,II,64\nM,I,151\nM,II,95\n"
    desk.add("other.csv", other, {**PATIENTS, "population": "another hospital"})
    assert [each.verdict for each in desk.ask(differencing.CHECK)] == [Verdict.PASS]


def test_a_cell_shown_before_is_not_suppressed_now(desk: Desk) -> None:
    """Otherwise a mark in the second table would pass for protection."""
    desk.before("counts.csv", TABLE, PATIENTS)
    desk.add("counts.csv", TABLE.replace("60", "*"), PATIENTS)
    [found] = of(desk.ask(differencing.CHECK), Verdict.FAIL)
    assert "sex=f, stage=ii" in found.evidence["cells"]


def test_what_did_not_leave_is_for_a_person(desk: Desk) -> None:
    """Otherwise correcting a returned table would fail for ever, or the past be forgotten."""
    for state in ("REJECTED", "WITHDRAWN", "RETURNED"):
        desk.before("counts.csv", TABLE, PATIENTS, request=f"rr-{state}", state=state)
    desk.before("counts.csv", TABLE, PATIENTS, request="rr-turns", turn=1)
    desk.before("counts.csv", ONE_LESS, PATIENTS, request="rr-turns", turn=2)
    desk.add("counts.csv", ONE_LESS, PATIENTS)
    assert [each.verdict for each in desk.ask(differencing.CHECK)] == [Verdict.REVIEW] * 4


def test_earlier_tables_that_cannot_be_read_are_named(desk: Desk) -> None:
    """Otherwise "nothing found" would be said of tables that nobody looked at."""
    desk.before("undeclared.csv", "a,b\n1,2\n")
    desk.add("counts.csv", TABLE, PATIENTS)
    [found] = desk.ask(differencing.CHECK)
    assert found.verdict is Verdict.REVIEW
    assert "undeclared.csv" in found.evidence["tables"][0]


def test_the_same_table_again_passes(desk: Desk) -> None:
    """Otherwise nobody could ask for a table twice."""
    desk.before("counts.csv", TABLE, PATIENTS)
    desk.add("counts.csv", TABLE, PATIENTS)
    assert [each.verdict for each in desk.ask(differencing.CHECK)] == [Verdict.PASS]


def test_tables_of_one_request_are_compared_both_ways(desk: Desk) -> None:
    """Otherwise both halves of a subtraction could leave together."""
    desk.add("a.csv", TABLE, PATIENTS)
    desk.add("b.csv", ONE_LESS, PATIENTS)
    desk.add("c.csv", TABLE.replace("60", "*"), PATIENTS)
    found = of(desk.ask(linked.CHECK), Verdict.FAIL)
    assert {(each.path, each.evidence["other"]) for each in found} >= {
        (desk.files[0].path, desk.files[1].path),
        (desk.files[1].path, desk.files[0].path),
        (desk.files[2].path, desk.files[0].path),
    }


def test_tables_that_agree_pass_and_lost_links_do_not(desk: Desk) -> None:
    """Otherwise a table could be said to be compared with one that nobody has."""
    desk.add("a.csv", TABLE, {**PATIENTS, "links": ["gone.csv"]})
    desk.add("b.csv", "sex,patients\nF,200\nM,240\n", {**PATIENTS, "dimensions": ["sex"]})
    desk.add("c.csv", "sex,patients\nF,500\nM,240\n", {**PATIENTS, "dimensions": ["sex"], "unit": "stays"})
    found = desk.ask(linked.CHECK)
    assert [each.evidence["links"] for each in of(found, Verdict.REVIEW)] == [["gone.csv"]]
    assert not of(found, Verdict.FAIL)
    desk.add("d.csv", "sex,patients\nF,500\nM,240\n", {**PATIENTS, "dimensions": ["sex"]})
    assert len(of(desk.ask(linked.CHECK), Verdict.REVIEW)) > 1
