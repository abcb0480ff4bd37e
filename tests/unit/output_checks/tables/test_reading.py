"""Reading declared tables: a declaration that does not fit its file must not pass for a checked table."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.output_checks.tables.conftest import PATIENTS, Desk, of

from phems.domain.output_checks import Verdict
from phems.output_checks.tables import numbers, opened
from phems.output_checks.tables.reading import read_table

TABLE = "sex,stage,patients\nF,I,40\nF,Total,40\nTotal,Total,40\n"


def test_totals_leave_their_dimension_out(desk: Desk) -> None:
    """Otherwise a total would be compared with nothing, and no table would add up."""
    table = read_table(desk.add("a.csv", TABLE, PATIENTS))
    assert [dict(row.at) for row in table.rows] == [{"sex": "f", "stage": "i"}, {"sex": "f"}, {}]


def test_usual_totals_are_known_when_none_is_declared(desk: Desk) -> None:
    """Otherwise an author who forgets the mark would have totals taken for a category."""
    declaration = {**PATIENTS, "totals": None}
    table = read_table(desk.add("a.csv", TABLE.replace("Total", "All"), declaration))
    assert not table.rows[2].at


def test_spelling_does_not_make_another_cell(desk: Desk) -> None:
    """Otherwise a blank or a capital letter would hide a table from its twin."""
    one = read_table(desk.add("a.csv", "sex,stage,patients\n F ,Stage  I,40\n", PATIENTS))
    two = read_table(
        desk.add(
            "b.csv", "Sex,STAGE,n\nf,stage i,40\n", {**PATIENTS, "dimensions": ["Sex", "STAGE"], "count": "n"}
        )
    )
    assert one.counts.keys() == two.counts.keys()


@pytest.mark.parametrize(
    ("content", "changes", "why"),
    [
        ("sex,stage\nF,I\n", {}, "exactly one column 'patients'"),
        ("sex,stage,patients,patients\nF,I,3,4\n", {}, "exactly one column 'patients'"),
        ("sex,stage,patients\nF,I,many\n", {}, "'many'"),
        ("sex,stage,patients\nF,I,40.5\n", {}, "'40.5'"),
        ("sex,stage,patients\nF,I,-40\n", {}, "'-40'"),
        ("sex,stage,patients\nF,I,\n", {}, "''"),
        ("sex,stage,patients\nF,I,nan\n", {}, "'nan'"),
        ("sex,stage,patients\nF,I,40\nf,I,41\n", {}, "same cell"),
        (TABLE, {"kind": "frequencies"}, "kind must be"),
        (TABLE, {"surprise": 1}, "no key 'surprise'"),
    ],
)
def test_what_does_not_fit_fails_with_a_remedy(desk: Desk, content: str, changes: dict, why: str) -> None:
    """Otherwise other checks would look at something that is not there, and find nothing."""
    desk.add("a.csv", content, {**PATIENTS, **changes})
    [found] = desk.ask(opened.CHECK)
    assert found.verdict is Verdict.FAIL
    assert why in found.evidence["why"]
    assert found.evidence["remedy"]


def test_a_table_too_large_to_be_read_is_for_a_person(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a large table would be taken for a checked one."""
    file = desk.add(
        "a.csv", "sex,stage,patients\n" + "".join(f"F,{i},40\n" for i in range(200_001)), PATIENTS
    )
    [found] = desk.ask(opened.CHECK)
    assert (found.path, found.verdict) == (file.path, Verdict.REVIEW)


def test_parquet_reads_as_csv_does(desk: Desk) -> None:
    """Otherwise the same table would be judged by the ending of its name."""
    content = io.BytesIO()
    columns = {"sex": ["F", None], "stage": ["I", "II"], "patients": pa.array([40, None], pa.int32())}
    pq.write_table(pa.table(columns), content)
    file = desk.add("a.parquet", "", {**PATIENTS, "suppressed": ""})
    file.place.write_bytes(content.getvalue())
    table = read_table(file)
    assert [row.count for row in table.rows] == [40, None]
    assert of(desk.ask(opened.CHECK), Verdict.PASS)


def test_numbers_as_people_write_them() -> None:
    """Otherwise a thousands separator would turn a table unreadable, or a trick would go through."""
    assert numbers.number(" 1,234.5 ") == 1234.5
    assert [numbers.number(text) for text in ("1_000", "inf", "1,23", "", "0x10")] == [None] * 5
    assert [numbers.whole_number(text) for text in ("12", "12.0", "1e3", "-1", "1.5")] == [
        12,
        12,
        1000,
        None,
        None,
    ]
    assert [numbers.decimals(text) for text in ("1", "1.50", "1e-3", "2.5E1")] == [0, 2, 3, 0]
    assert [numbers.ceiling(text) for text in ("<10", "<= 9", "≤9", "*", "")] == [9, 9, 9, None, None]
