"""What people read of a lineage: each step of the way on a line of its own, and gaps told as such."""

from __future__ import annotations

from datetime import UTC, datetime

from phems.cli.lineage import lines_of
from phems.services.lineage import FileLineage, FileRelease, Lineage, RunLineage

AT = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
RUN = RunLineage(
    "run-1",
    requested_by="ana",
    requested_at=AT,
    admitted_at=AT,
    capsule="c0ffee",
    commit="0123456789abcdef",
    code_digest="d" * 64,
    approved_by=("iris", "wei"),
    environment_digest="e" * 64,
    policy_version="wards v3",
    data={"admissions": "sha256:77"},
)
RELEASED = FileRelease("rr-abc", 2, "RELEASED", AT, "APPROVED", ("carol", "dmitri"), "9" * 64)


def text(*files: FileLineage, run: RunLineage = RUN) -> str:
    return "\n".join(lines_of(Lineage("wards", "release", "rr-abc", files, (run,))))


def test_the_way_is_told_from_the_released_bytes_to_the_data() -> None:
    """Whoever answers for a number reads down: bytes, decision, run, code, packages, rules, data."""
    told = text(FileLineage("outputs/run-1/a.csv", "1" * 64, 9, "run-1", "table", (RELEASED,)))
    in_order = (
        "file outputs/run-1/a.csv",
        "1" * 64,
        "step table of run run-1",
        "rr-abc, turn 2: RELEASED; approved by carol, dmitri; 2026-11-28 09:30:00+00:00",
        "\nrun run-1",
        "by ana",
        "capsule c0ffee",
        "wards@0123456789ab, approved by iris, wei",
        "e" * 64,
        "wards v3",
        "admissions sha256:77",
    )
    places = [told.index(words) for words in in_order]
    assert places == sorted(places)


def test_what_is_not_decided_or_not_on_record_is_told_as_that() -> None:
    """An empty column reads as if nothing had been needed."""
    waiting = FileRelease("rr-abc", 1, "SUBMITTED")
    told = text(FileLineage("a.csv", "1" * 64, 9, "run-1", "table", (waiting,)), run=RunLineage("run-1"))
    assert "turn 1: SUBMITTED\n" in told
    assert "no record of who asked" in told
    assert "No file was registered" in text()
    unnamed = RunLineage("run-1", requested_by="ana", requested_at=AT, code_digest="d" * 64)
    assert f"digest {'d' * 64}" in text(run=unnamed)
    assert "admitted  not yet" in text(run=unnamed)
