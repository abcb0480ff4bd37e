"""Types, sizes, formulas, free text and declarations: what passes, what fails, what people look at."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.output_checks.conftest import Look, verdicts

from phems.domain.output_checks import Verdict
from phems.output_checks import declared, file_type, formulas, free_text, limits

TABLE = "ward,patients\nsurgery,120\ncardiology,98\n"
FREQUENCY = {"kind": "frequency", "dimensions": ["ward"], "count": "patients"}
REGRESSION = {"kind": "regression", "model": {"parameters": 2, "observations": 90}}


class Runs:
    """A pickle of it calls something."""

    def __reduce__(self) -> Any:
        return os.getcwd, ()


def parquet(table: pa.Table, *, store_schema: bool = False) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content, store_schema=store_schema)
    return content.getvalue()


def arrow(table: pa.Table) -> bytes:
    content = io.BytesIO()
    with pa.ipc.new_file(content, table.schema) as writer:
        writer.write_table(table)
    return content.getvalue()


WARDS = pa.table({"ward": ["surgery", "cardiology"], "patients": [120, 98]})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", TABLE),
        ("a.csv", ""),
        ("a.json", '{"patients": 500}'),
        ("a.jsonl", '{"a": 1}\n{"a": 2}\n'),
        ("a.parquet", parquet(WARDS)),
        ("a.arrow", arrow(WARDS)),
        ("a.pdf", b"%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\n%%EOF"),
        ("a.md", "(S'not a pickle'\n"),
    ],
)
def test_what_is_what_it_says_passes(look: Look, name: str, content: bytes | str) -> None:
    """Otherwise harmless results are held back."""
    assert verdicts(look(file_type.CHECK, name, content)) == {Verdict.PASS}


def packed_pdf(objects: bytes, header: bytes = b"/Filter /FlateDecode") -> bytes:
    packed = zlib.compress(objects) if b"Flate" in header else objects
    return (
        b"%PDF-1.7\n1 0 obj << /Type /ObjStm /N 1 "
        + header
        + b" >>\nstream\n"
        + packed
        + b"\nendstream endobj"
    )


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.html", "<html>", "not allowed"),
        ("noname", "x", "no type"),
        ("a.csv", b"PK\x03\x04", "archive"),
        ("a.json", "{'a': 1}", "no JSON"),
        ("a.json", "[" * 100_000 + "]" * 100_000, "no JSON"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "line by line"),
        ("a.txt", pickle.dumps(Runs(), 0), "pickle"),
        ("a.txt", pickle.dumps(Runs(), 4), "pickle"),
        (
            "a.json",
            json.dumps({"model": base64.b64encode(pickle.dumps(Runs(), 4)).decode()}),
            "encoded pickle",
        ),
        ("a.csv", "model\n" + pickle.dumps({"a": list(range(20))}, 4).hex() + "\n", "encoded pickle"),
        ("a.pdf", b"%PDF-1.7 << /S /J#61vaScript >>", "JavaScript"),
        ("a.pdf", b"%PDF-1.7 << /S /Launch /F (cmd.exe) >>", "Launch"),
        ("a.pdf", b"%PDF-1.7 << /Encrypt 5 0 R >>", "encrypted"),
        ("a.pdf", packed_pdf(b"<< /S /JavaScript /JS (x) >>"), "JavaScript"),
        ("a.pdf", packed_pdf(b"<< /S /JavaScript >>", b""), "JavaScript"),
        ("a.pdf", packed_pdf(b"", b"/Filter /LZWDecode"), "cannot be looked into"),
        ("a.pdf", packed_pdf(b"x").replace(b"x\x9c", b"zz"), "cannot be looked into"),
        ("a.pdf", b"%PDF-1.7 << /A 1 >>" + b"PK\x05\x06" + b"\0" * 18, "archive hides"),
    ],
)
def test_what_runs_or_pretends_fails(look: Look, name: str, content: bytes | str, told: str) -> None:
    """Attack 26: what runs when it is opened leaves in some disguise."""
    [found] = look(file_type.CHECK, name, content)
    assert found.verdict is Verdict.FAIL
    assert told in found.summary


def test_what_a_library_writes_beside_a_table_is_for_people(look: Look) -> None:
    """Otherwise an index, or a pickled schema, rides along in the metadata."""
    extra = WARDS.replace_schema_metadata({"pandas": "{}"})
    for name, content in (("a.parquet", parquet(extra, store_schema=True)), ("a.arrow", arrow(extra))):
        [found] = look(file_type.CHECK, name, content)
        assert found.verdict is Verdict.REVIEW
        assert "pandas" in found.summary
    [found] = look(file_type.CHECK, "a.pdf", b"%PDF-1.7 << /S /URI /URI (http://x) >>")
    assert found.verdict is Verdict.REVIEW


def test_large_json_is_for_people(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a file fills the memory of the process that checks."""
    monkeypatch.setattr(file_type, "_LARGEST_JSON", 10)
    assert verdicts(look(file_type.CHECK, "a.json", '{"a": [1, 2, 3]}')) == {Verdict.REVIEW}
    monkeypatch.setattr("phems.output_checks.pdf._LARGEST", 10)
    assert verdicts(look(file_type.CHECK, "a.pdf", b"%PDF-1.7 and so on")) == {Verdict.FAIL}


def test_sizes_are_held_to_the_policy(look: Look) -> None:
    """Otherwise a table of all patients leaves as a result."""
    rows = "a,b\n" + "1,2\n" * 30
    [found] = look(limits.CHECK, "a.csv", rows, max_rows=30)
    assert found.verdict is Verdict.PASS
    assert found.evidence["measured"] == {"bytes": len(rows), "columns": 2, "rows": 30}
    [found] = look(limits.CHECK, "a.csv", rows, max_rows=29, max_columns=1)
    assert found.verdict is Verdict.FAIL
    assert "columns and rows" in found.summary
    assert verdicts(look(limits.CHECK, "a.png", b"x")) == {Verdict.PASS}


@pytest.mark.parametrize(
    "cell", ["=1+1", "@SUM(A1)", "+1+cmd", "-2+3", "\tx", "  =A1", "'=A1", "\uff1dA1", "-1,5-2"]
)
def test_cells_that_a_spreadsheet_runs_fail(look: Look, cell: str) -> None:
    """Otherwise whoever opens a released table runs what its author wrote."""
    content = f'ward,n\n"{cell}",1\nsurgery,2\n'
    [found] = look(formulas.CHECK, "a.csv", content)
    assert found.verdict is Verdict.FAIL
    assert found.evidence["columns"] == {"ward": 1}
    assert verdicts(look(formulas.CHECK, "a.csv", f'"{cell}",n\nsurgery,1\n')) == {Verdict.FAIL}


def test_numbers_and_marks_are_no_formulas(look: Look) -> None:
    """Otherwise every negative coefficient is held back."""
    cells = ["-1", "+2.5", "-1e-5", "-", "+", "-inf", "-12,345.6", "-3 %", "-.5", "a=b", "x@y"]
    assert verdicts(look(formulas.CHECK, "a.csv", "x;n\n" + "".join(f"{cell};1\n" for cell in cells))) == {
        Verdict.PASS
    }
    assert look(formulas.CHECK, "a.parquet", b"") == []


def test_sentences_and_texts_for_each_row_are_for_people(look: Look) -> None:
    """Otherwise clinical notes leave as a column."""
    note = "came in late at night and was unwell"
    for content in (f"ward,note\nsurgery,{note}\n", "who\n" + "".join(f"person {n}\n" for n in range(1200))):
        assert verdicts(look(free_text.CHECK, "a.csv", content)) == {Verdict.REVIEW}
    assert verdicts(look(free_text.CHECK, "a.csv", TABLE)) == {Verdict.PASS}
    numbers = "p\n" + "".join(f"{n / 7},{n}\n".split(",")[0] + "\n" for n in range(2000))
    assert verdicts(look(free_text.CHECK, "a.csv", numbers)) == {Verdict.PASS}
    assert verdicts(look(free_text.CHECK, "a.md", "words")) == {Verdict.REVIEW}
    assert look(free_text.CHECK, "a.json", "{}") == []
    assert look(free_text.CHECK, "a.png", b"") == []


@pytest.mark.parametrize(
    ("name", "content", "declaration", "verdict"),
    [
        ("a.csv", TABLE, None, Verdict.REVIEW),
        ("a.csv", TABLE, FREQUENCY, Verdict.PASS),
        ("a.parquet", parquet(WARDS), FREQUENCY, Verdict.PASS),
        ("a.csv", TABLE, {**FREQUENCY, "count": "deaths"}, Verdict.FAIL),
        ("a.csv", TABLE, {"kind": "magnitude", "contributors": {"count": "x", "largest": []}}, Verdict.FAIL),
        ("a.csv", TABLE, {"kind": "other", "dimensions": ["ward"]}, Verdict.REVIEW),
        ("a.csv", TABLE, {"kind": "frequency"}, Verdict.REVIEW),
        (
            "a.csv",
            TABLE,
            {"kind": "regression", "model": {"parameters": 2, "observations": 90}},
            Verdict.PASS,
        ),
        ("a.json", "{}", None, Verdict.REVIEW),
        ("a.json", "{}", FREQUENCY, Verdict.REVIEW),
        (
            "a.json",
            "{}",
            {"kind": "regression", "model": {"parameters": 2, "observations": 90}},
            Verdict.PASS,
        ),
        ("a.md", "x", FREQUENCY, Verdict.REVIEW),
        ("a.png", "x", FREQUENCY, Verdict.REVIEW),
        ("a.pdf", "x", None, Verdict.REVIEW),
    ],
)
def test_nothing_passes_undeclared(
    look: Look, name: str, content: Any, declaration: Any, verdict: Verdict
) -> None:
    """Otherwise a table that nobody described goes out unseen."""
    assert verdicts(look(declared.CHECK, name, content, declaration)) == {verdict}


def test_a_table_that_is_none_raises(look: Look) -> None:
    """Otherwise a broken table is checked for what the reader made of it, and passes."""
    with pytest.raises(pa.ArrowInvalid):
        look(limits.CHECK, "a.csv", "a,b\n1,2,3\n")
    nested = parquet(pa.table({"a": [[1], [2]]}))
    with pytest.raises(TypeError, match="nested"):
        look(limits.CHECK, "a.parquet", nested)
