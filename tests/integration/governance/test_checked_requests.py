"""Output checks as a request meets them: sandboxed, over the frozen bytes, with the past beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.integration.governance.governed_site import ANA, CHRIS, MIB, PROJECT, STRANGER, Site

from phems.adapters import output_check_runner
from phems.adapters.sandbox import one_shot
from phems.domain.output_checks import CheckOrder, CheckReport, Finding, Verdict, worst
from phems.errors import NotFoundError, RefusedError, UnavailableError
from phems.services.output_checks import OutputChecks
from phems.services.release_files import Choice
from phems.services.releases import Case

CASE = Case("Deaths by ward.", "No small numbers.")
TABLE = b"ward,patients\nsurgery,120\ncardiology,98\n"
DECLARED: dict[str, object] = {
    "kind": "frequency",
    "dimensions": ["ward"],
    "count": "patients",
    "population": "ward patients",
}


def by_check(findings: Iterable[Finding]) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in findings}


class Listening:
    """A runner that keeps what it is asked."""

    is_isolating = False

    def __init__(self) -> None:
        self.orders: list[CheckOrder] = []
        self.contents: list[dict[str, bytes]] = []

    def describe(self) -> str:
        return "nothing around it"

    def run(self, order: CheckOrder) -> CheckReport:
        self.orders.append(order)
        files = (*order.files, *order.history)
        self.contents.append({f"{file.request_id}/{file.turn}": file.place.read_bytes() for file in files})
        return CheckReport((), {})


def listening(site: Site) -> tuple[OutputChecks, Listening]:
    runner = Listening()
    return OutputChecks(site.governance, site.artifacts, site.frozen, runner, site.access), runner


def test_an_author_sees_what_the_checkers_would_see(site: Site) -> None:
    """Otherwise authors learn of a patient number in their table from the people who review it."""
    site.wrote("good.csv", TABLE, declaration=DECLARED)
    site.wrote("bad.csv", b"patient_id,nhs\n7,943 476 5870\n")
    site.set_rules(file_types=("csv",))
    report = site.output_checks.rehearse(ANA, PROJECT, Choice("run-1"))
    good = by_check(report.of("outputs/run-1/good.csv"))
    assert {good[name] for name in ("declaration", "file-type", "formulas", "identifiers", "limits")} == {
        Verdict.PASS
    }
    assert worst(report.of("outputs/run-1/bad.csv")) is Verdict.FAIL
    assert by_check(report.of("outputs/run-1/bad.csv"))["declaration"] is Verdict.REVIEW
    assert report.tools["phems-node"]
    assert report.tools["policy"].startswith("default 0:")
    assert "bubblewrap" in report.tools["sandbox"]


def test_a_rehearsal_leaves_nothing_behind(site: Site) -> None:
    """Otherwise trying costs disk, and shows up as a request."""
    site.wrote("good.csv", TABLE)
    site.output_checks.rehearse(ANA, PROJECT, Choice("run-1"))
    assert site.releases.list(ANA, PROJECT) == []
    assert [path for path in (site.folder / "releases").rglob("*") if path.is_file()] == []
    assert not list((site.folder / "releases").glob("rehearsal-*"))


def test_only_who_may_ask_may_rehearse(site: Site) -> None:
    """Otherwise results are probed by people of other projects, or by those who review."""
    site.wrote("good.csv", TABLE)
    with pytest.raises(NotFoundError):
        site.output_checks.rehearse(STRANGER, PROJECT, Choice("run-1"))
    with pytest.raises(RefusedError):
        site.output_checks.rehearse(CHRIS, PROJECT, Choice("run-1"))


def test_the_checks_see_the_frozen_bytes_and_every_earlier_request(site: Site) -> None:
    """Otherwise bytes are swapped after the check, or an earlier table is forgotten."""
    site.wrote("good.csv", TABLE, declaration=DECLARED)
    first = site.releases.request(ANA, PROJECT, Choice("run-1"), CASE).request
    site.releases.withdraw(ANA, first.id)
    site.wrote("good.csv", TABLE.replace(b"120", b"121"), declaration=DECLARED)
    second = site.releases.request(ANA, PROJECT, Choice("run-1"), CASE).request
    (site.folder / "artifacts" / PROJECT / "outputs" / "run-1" / "good.csv").write_bytes(b"swapped")
    checks, runner = listening(site)
    checks.report(PROJECT, second.id, 1, second.files, site.rules_of(PROJECT))
    [order], [contents] = runner.orders, runner.contents
    [file] = order.files
    assert (file.name, file.declaration is not None and file.declaration["count"]) == ("good.csv", "patients")
    assert b"121" in contents[f"{second.id}/1"]
    [past] = order.history
    assert (past.request_id, past.turn, past.state) == (first.id, 1, "WITHDRAWN")
    assert contents[f"{first.id}/1"] == TABLE
    assert order.policy["thresholds"]["small_cell"] == 10


def test_without_a_sandbox_the_policy_decides(site: Site) -> None:
    """Otherwise hostile files are parsed with the node's own rights where that was forbidden."""
    site.wrote("good.csv", TABLE)
    site.set_rules(needs_sandbox=True)
    checks, runner = listening(site)
    with pytest.raises(UnavailableError, match="cannot be checked") as refused:
        checks.rehearse(ANA, PROJECT, Choice("run-1"))
    assert "bubblewrap" in refused.value.remedy
    assert runner.orders == []
    assert not list((site.folder / "releases").glob("rehearsal-*"))


def test_a_bare_process_is_told_in_every_report(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise nobody knows that a file could have reached further than its check."""
    monkeypatch.setattr(one_shot.walls, "find", lambda: None)
    site.wrote("good.csv", TABLE, declaration=DECLARED)
    report = site.output_checks.rehearse(ANA, PROJECT, Choice("run-1"))
    [warning] = [found for found in report.of(None) if found.check == "output-checks"]
    assert warning.verdict is Verdict.REVIEW
    assert report.tools["sandbox"].startswith("NO SANDBOX")
    assert by_check(report.of("outputs/run-1/good.csv"))["identifiers"] is Verdict.PASS


@pytest.mark.parametrize(
    "end", ["#!/bin/sh\nexit 9\n", "#!/bin/sh\necho '{}'\n", "#!/bin/sh\necho nonsense\n"]
)
def test_a_process_that_gives_no_report_fails_every_file(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Otherwise a file passes by ending the process that checks."""
    program = tmp_path / "python"
    program.write_text(end)
    program.chmod(0o755)
    monkeypatch.setattr(one_shot.walls, "find", lambda: None)
    monkeypatch.setattr(one_shot, "interpreter", lambda _named: program)
    site.wrote("a.csv", TABLE)
    site.wrote("b.csv", TABLE)
    report = site.output_checks.rehearse(ANA, PROJECT, Choice("run-1"))
    failed = [found.path for found in report.findings if found.verdict is Verdict.FAIL]
    assert failed == ["outputs/run-1/a.csv", "outputs/run-1/b.csv"]


def test_a_process_that_does_not_end_is_ended(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a file keeps a request waiting for ever."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nsleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(one_shot.walls, "find", lambda: None)
    monkeypatch.setattr(one_shot, "interpreter", lambda _named: program)
    monkeypatch.setattr(output_check_runner, "GRACE_SECONDS", -2.0)
    site.set_rules(checks={**site.rules_of(PROJECT).checks, "seconds": 1})
    site.wrote("a.csv", TABLE)
    report = site.output_checks.rehearse(ANA, PROJECT, Choice("run-1"))
    assert "did not end" in report.of("outputs/run-1/a.csv")[0].evidence["reason"]


def test_what_unpacks_to_gigabytes_fails_in_bounded_memory(site: Site, tmp_path: Path) -> None:
    """Attack 26: otherwise a kilobyte of Parquet takes the node down."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    bomb = tmp_path / "bomb.parquet"
    texts = pa.table({"x": pa.array(["A" * MIB] * 64)})
    with pq.ParquetWriter(bomb, texts.schema, compression="zstd", store_schema=False) as writer:
        for _ in range(20):
            writer.write_table(texts)
    assert bomb.stat().st_size < MIB
    site.wrote("bomb.parquet", bomb.read_bytes())
    site.set_rules(file_types=("parquet",), checks={**site.rules_of(PROJECT).checks, "memory": 512 * MIB})
    report = site.output_checks.rehearse(ANA, PROJECT, Choice("run-1"))
    assert worst(report.findings) is Verdict.FAIL
    assert any(found.summary == "could not be checked" for found in report.findings)


def test_findings_are_kept_as_they_were_given(site: Site) -> None:
    """Otherwise a package carries other findings than those that people decided by."""
    site.wrote("good.csv", TABLE)
    request = site.releases.request(ANA, PROJECT, Choice("run-1"), CASE).request
    found = Finding("ids", "1", "outputs/run-1/good.csv", Verdict.REVIEW, "maybe", {"columns": {"ward": 1}})
    report = CheckReport((found,), {"python": "3.11"})
    with site.governance.transaction() as work:
        kept = work.output_checks.of(request.id, 2)
        work.output_checks.save(request.id, 2, report)
    assert kept is None
    with site.governance.transaction() as work:
        assert work.output_checks.of(request.id, 2) == report
    with pytest.raises(Exception, match="output_checks"), site.governance.transaction() as work:
        work.output_checks.save(request.id, 2, CheckReport((), {}))


def test_what_an_author_declares_stays_out_of_the_audit_log(site: Site) -> None:
    """Otherwise text of project code leaves the node with an exported log."""
    site.wrote("good.csv", TABLE, declaration={**DECLARED, "population": "Jane Doe, ward 3"})
    [entry] = site.entries("output.register")
    assert entry.details["declared"] is True
    assert "Jane" not in json.dumps(entry.details)
    site.output_checks.rehearse(ANA, PROJECT, Choice("run-1"))
    assert "Jane" not in "".join(json.dumps(dict(entry.details)) for entry in site.entries())
