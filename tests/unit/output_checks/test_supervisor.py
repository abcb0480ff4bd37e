"""A check that crashes, hangs, eats its memory or lies says nothing for other files, and is never silent."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.unit.output_checks.conftest import order_of

from phems.domain.output_checks import CheckedFile, CheckReport, Finding, Verdict
from phems.output_checks import child_process, discovery, supervisor
from phems.output_checks.discovery import BrokenCheck, load_checks, tool_versions
from phems.output_checks.plugin import Check, CheckContext, FileCheck, RequestCheck, finding


@dataclass
class Misbehaving:
    """Passes every file but the one called bad.csv."""

    deed: Any
    name: str = "misbehaving"
    version: str = "7"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:
        if file.name == "bad.csv":
            yield from self.deed() or []
        yield finding(self, file.path, Verdict.PASS, "nothing found")


@dataclass
class Comparing:
    """A check on the request as a whole."""

    findings: tuple[Finding, ...]
    name: str = "comparing"
    version: str = "3"

    def check_request(self, context: CheckContext) -> Iterable[Finding]:
        return self.findings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    files.mkdir()
    for name in ("bad.csv", "good.csv"):
        (files / name).write_text("a\n1\n")
    return files


def run(folder: Path, *checks: Check, broken: tuple[BrokenCheck, ...] = (), **limits: Any) -> CheckReport:
    # A child begins with what its parent has: here all that the tests before it left.
    memory = psutil.Process().memory_info().data + (2 << 30)
    order = order_of(folder, None, **{"seconds": 2, "memory": memory, **limits})
    return CheckReport(tuple(supervisor.run(order, checks, broken, folder.parent)), {})


def raise_() -> None:
    raise ValueError("row 3: Jane Doe")


def eat_memory() -> None:
    bytearray(1 << 33)


def crash() -> None:
    faulthandler.disable()  # the tests' own would print where
    ctypes.string_at(0)


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    os._exit(3)


def hang() -> None:
    threading.Event().wait()


def burn() -> None:
    while True:
        pass


def talk_for_ever() -> list[Finding]:
    return [Finding("x", "1", None, Verdict.PASS, "x" * (child_process.MAX_BYTES + 1))]


def say_nonsense() -> list[Any]:
    return ["no finding"]


def end_the_supervisor_s_pipe() -> None:
    for number in range(3, 64):
        try:
            os.close(number)
        except OSError:
            continue
    threading.Event().wait()


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (raise_, "ValueError: row 3"),
        (eat_memory, "MemoryError"),
        (crash, "SIGSEGV"),
        (be_killed, "SIGKILL"),
        (leave, "ended with 3"),
        (hang, "took too long"),
        (burn, "took too long"),
        (talk_for_ever, "said more than"),
        (say_nonsense, "AttributeError"),
        (end_the_supervisor_s_pipe, "took too long"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_goes_wrong_fails_one_file(folder: Path, deed: Any, told: str) -> None:
    """Otherwise a hostile file passes by ending its check, or keeps every other file from being checked."""
    report = run(folder, Misbehaving(deed))
    [bad], [good] = report.of("outputs/run-1/bad.csv"), report.of("outputs/run-1/good.csv")
    assert (bad.verdict, bad.summary, bad.check, bad.version) == (
        Verdict.FAIL,
        "could not be checked",
        "misbehaving",
        "7",
    )
    assert told in bad.evidence["reason"]
    assert good.verdict is Verdict.PASS


def test_what_a_check_starts_ends_with_it(folder: Path, tmp_path: Path) -> None:
    """Otherwise a check leaves processes behind that outlive the request."""

    def start_another() -> None:
        child = os.fork()
        if child == 0:
            threading.Event().wait()
        (tmp_path / "pid").write_text(str(child))

    run(folder, Misbehaving(start_another))
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while is_running(pid):  # a killed process takes a moment to be gone
        assert time.monotonic() < deadline
        os.sched_yield()


def is_running(pid: int) -> bool:
    """Whether a process lives: one that is dead and not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_file_speaks_for_itself_alone(folder: Path) -> None:
    """Otherwise a file that takes its check over passes the others too, under any check's name."""

    def lie() -> list[Finding]:
        return [Finding("identifiers", "1", "outputs/run-1/good.csv", Verdict.PASS, "fine")]

    report = run(folder, Misbehaving(lie))
    assert [found.path for found in report.findings].count("outputs/run-1/good.csv") == 1
    assert {found.check for found in report.findings} == {"misbehaving"}


def test_checks_on_the_request_speak_of_its_files(folder: Path) -> None:
    """Otherwise a finding is about a file that nobody asked to release, and is shown to nobody."""
    said = tuple(
        Finding("x", "1", path, Verdict.REVIEW, "linked")
        for path in ("outputs/run-1/bad.csv", "outputs/run-0/old.csv", None)
    )
    report = run(folder, Comparing(said))
    assert [found.path for found in report.findings] == ["outputs/run-1/bad.csv", None, None]
    assert {found.check for found in report.findings} == {"comparing"}


def test_a_failed_check_on_the_request_fails_every_file(folder: Path) -> None:
    """Otherwise two tables that give a patient away pass when the comparison crashes."""

    class Raising(Comparing):
        def check_request(self, context: CheckContext) -> Iterable[Finding]:
            raise_()
            return ()

    report = run(folder, Raising(()))
    assert [found.verdict for found in report.findings] == [Verdict.FAIL, Verdict.FAIL]


def test_a_check_that_cannot_be_loaded_fails_every_file(folder: Path) -> None:
    """Otherwise a broken plug-in makes every file pass that it should have looked at."""
    report = run(folder, broken=(BrokenCheck("lost", "it could not be loaded: ImportError"),))
    assert [(found.check, found.verdict) for found in report.findings] == [("lost", Verdict.FAIL)] * 2


def test_the_time_for_all_is_bounded(folder: Path) -> None:
    """Otherwise many slow files keep a request waiting for hours."""
    checks = [Misbehaving(hang, name=f"slow-{number}") for number in range(6)]
    report = run(folder, *checks, seconds=1)
    reasons = [found.evidence.get("reason", "") for found in report.findings]
    assert "the time for all checks together was over" in reasons


def test_the_node_s_own_checks_are_found() -> None:
    """Otherwise an installation without its entry points passes everything."""
    checks, broken = load_checks()
    assert not broken
    names = {check.name for check in checks}
    assert names >= {
        "declaration",
        "file-type",
        "formulas",
        "free-text",
        "identifiers",
        "image",
        "limits",
        "model",
    }
    assert all(isinstance(check, FileCheck | RequestCheck) and check.version for check in checks)
    assert {"python", "phems-node", "pyarrow", "python-stdnum"} <= set(tool_versions())


class _Entry:
    """An entry point that gives something else."""

    def __init__(self, name: str, thing: Any) -> None:
        self.name, self.value, self.dist = name, f"somewhere:{name}", None
        self._thing = thing

    def load(self) -> Any:
        if isinstance(self._thing, BaseException):
            raise self._thing
        return self._thing


def test_what_is_no_check_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a misspelt entry point is a check that nobody runs, and nobody misses."""
    good = Misbehaving(raise_)
    entries = [
        _Entry("a", good),
        _Entry("b", Misbehaving(raise_)),
        _Entry("c", "no check"),
        _Entry("d", SystemExit("at import")),
    ]
    monkeypatch.setattr(discovery.metadata, "entry_points", lambda **_group: entries)
    checks, broken = load_checks()
    assert checks == [good]
    assert [lost.name for lost in broken] == ["b", "c", "d"]
    monkeypatch.setattr(discovery.metadata, "entry_points", lambda **_group: [])
    assert [lost.why for lost in load_checks()[1]] == ["no check is installed"]


def test_a_package_of_a_hospitals_own_adds_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a hospital has to change the node to look at what it knows of its own data."""
    (tmp_path / "hospital_checks.py").write_text(
        "class WardNames:\n"
        "    name, version = 'ward-names', '7'\n"
        "    def check_file(self, file, context):\n"
        "        return []\n"
        "CHECK = WardNames()\n"
    )
    made = tmp_path / "hospital_checks-7.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: hospital-checks\nVersion: 7.0\n")
    (made / "entry_points.txt").write_text("[phems.output_checks]\nward-names = hospital_checks:CHECK\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    checks, broken = load_checks()
    assert broken == []
    assert "ward-names" in [check.name for check in checks]
    assert tool_versions()["hospital-checks"] == "7.0"
