"""Findings, orders and reports: what crosses between the node and the process that checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phems.domain.output_checks import (
    CheckedFile,
    CheckOrder,
    CheckReport,
    Finding,
    Verdict,
    not_checked,
    worst,
)
from phems.errors import IntegrityError

PASS = Finding("type", "1", "a.csv", Verdict.PASS, "a table", {"rows": 3})
REVIEW = Finding("text", "1", "a.csv", Verdict.REVIEW, "a sentence")
FAIL = not_checked("ids", "2", "b.csv", "it took too long")
WHOLE = Finding("links", "1", None, Verdict.REVIEW, "two tables of one population")
REPORT = CheckReport((PASS, REVIEW, FAIL, WHOLE), {"python": "3.11"})
FILE = CheckedFile(
    "outputs/r/a.csv", "a.csv", "rr-1", "PENDING", 1, "0" * 64, 3, "text/csv", "r", Path("/files/a.csv")
)
ORDER = CheckOrder("heart", "rr-1", 1, (FILE,), (FILE,), {"checks": {"seconds": 10}})


def test_the_gravest_word_counts() -> None:
    """Otherwise one good finding hides a bad one; and a file that nobody checked passes."""
    assert worst([PASS, REVIEW, FAIL]) is Verdict.FAIL
    assert worst([PASS, REVIEW]) is Verdict.REVIEW
    assert worst([PASS]) is Verdict.PASS
    assert worst([]) is Verdict.REVIEW


def test_a_check_that_did_not_end_has_failed() -> None:
    """Otherwise a crash is silence, and silence is consent."""
    assert (FAIL.verdict, FAIL.summary) == (Verdict.FAIL, "could not be checked")
    assert FAIL.evidence == {"reason": "it took too long"}


def test_findings_are_by_file() -> None:
    """Otherwise a checker approves a file whose failure stands with another."""
    assert REPORT.of("a.csv") == (PASS, REVIEW)
    assert REPORT.of(None) == (WHOLE,)
    assert REPORT.failed("a.csv") == ()
    assert REPORT.failed("b.csv") == (FAIL,)


def test_some_failures_are_beyond_justification() -> None:
    """Otherwise a picture with metadata could be talked out of the node."""
    picture = Finding("image", "1", "c.png", Verdict.FAIL, "it carries more than its picture")
    doubtful = CheckReport((PASS, FAIL, picture), {})
    assert [doubtful.is_barred(path) for path in ("a.csv", "b.csv", "c.png")] == [False, False, True]
    passed = CheckReport((Finding("image", "1", "c.png", Verdict.PASS, "its picture alone"),), {})
    assert not passed.is_barred("c.png")


def test_all_of_it_survives_json() -> None:
    """Otherwise what is kept, or packed, is not what was found."""
    assert CheckReport.from_json(json.loads(json.dumps(REPORT.as_json()))) == REPORT
    declared = CheckedFile.from_json({**FILE.as_json(), "declaration": {"kind": "frequency"}})
    assert declared.as_json()["declaration"] == {"kind": "frequency"}
    assert CheckOrder.from_json(json.loads(json.dumps(ORDER.as_json()))) == ORDER


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"findings": [], "tools": None},
        {"findings": [{}], "tools": {}},
        {"findings": [{**PASS.as_json(), "verdict": "fine"}], "tools": {}},
        {"findings": [{**PASS.as_json(), "summary": 7}], "tools": {}},
        {"findings": [{**PASS.as_json(), "evidence": 7}], "tools": {}},
    ],
)
def test_what_is_no_report_is_refused(value: Any) -> None:
    """Otherwise a process that a file took over puts what it likes into the record."""
    with pytest.raises(IntegrityError, match="no report"):
        CheckReport.from_json(value)


def test_the_time_for_all_grows_with_the_files() -> None:
    """Otherwise a request of many files is never checked to its end."""
    assert ORDER.seconds == 30.0
