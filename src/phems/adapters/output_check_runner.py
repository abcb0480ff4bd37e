"""Output checks in a process of their own, under bubblewrap where it works: port `OutputCheckRunner`.

The process sees the files it is to check, read-only, an empty `/tmp`, and no network; the order goes in
by stdin, the report comes out by stdout. Whatever happens in there, the answer is a report: when none
comes, or none that makes sense, every file has failed.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO

from phems import __version__
from phems.adapters.sandbox.one_shot import OneShotPython
from phems.domain.output_checks import CheckedFile, CheckOrder, CheckReport, Finding, Verdict, not_checked
from phems.errors import IntegrityError

CHECK = "output-checks"
FILES = "/files"
# For starting, and for the checking process to notice by itself that its time is over.
GRACE_SECONDS = 30.0
MAX_REPORT_BYTES = 64 << 20

_LOG = logging.getLogger("phems.output_checks")


class SandboxedCheckRunner:
    """`OutputCheckRunner` over `python -m phems.output_checks`."""

    def __init__(self) -> None:
        self._python = OneShotPython("phems.output_checks")

    @property
    def is_isolating(self) -> bool:
        """Whether bubblewrap works here."""
        return self._python.is_isolating

    def describe(self) -> str:
        """One line for people."""
        if self.is_isolating:
            return "bubblewrap: no network, own namespaces, read-only files, kernel limits"
        return "NO SANDBOX: bubblewrap is missing; a file that takes a check over has the node's rights"

    def run(self, order: CheckOrder) -> CheckReport:
        """See the port."""
        warning = None if self.is_isolating else self._warning()
        seconds = order.seconds + GRACE_SECONDS
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answer:
            asked.write(json.dumps(self._shown(order).as_json()).encode())
            asked.seek(0)
            trouble = self._python.run(asked, answer, _folders(order), seconds)
            report = _failed(order, trouble) if trouble else _read(answer, order)
        tools = {"phems-node": __version__, **report.tools, "sandbox": self.describe()}
        return CheckReport((*report.findings, *([warning] if warning else [])), tools)

    def _shown(self, order: CheckOrder) -> CheckOrder:
        """The order with every place as the checking process sees it."""
        if not self.is_isolating:
            return order
        return replace(
            order,
            files=tuple(replace(file, place=_inside(file) / file.path) for file in order.files),
            history=tuple(replace(file, place=_inside(file) / file.path) for file in order.history),
            supporting=tuple(replace(file, place=_inside(file) / file.path) for file in order.supporting),
        )

    def _warning(self) -> Finding:
        _LOG.warning("output checks run without a sandbox: %s", self.describe())
        return Finding(
            CHECK,
            __version__,
            None,
            Verdict.REVIEW,
            "the checks ran without a sandbox",
            {"sandbox": self.describe(), "remedy": "as root: apt-get install bubblewrap"},
        )


def _inside(file: CheckedFile) -> Path:
    return Path(FILES, file.request_id, str(file.turn))


def _folders(order: CheckOrder) -> dict[Path, Path]:
    """Where the files of each turn are seen from inside, and where they lie."""
    return {
        _inside(file): file.place.parents[len(Path(file.path).parts) - 1]
        for file in (*order.files, *order.history, *order.supporting)
    }


def _read(answer: IO[bytes], order: CheckOrder) -> CheckReport:
    size = answer.seek(0, os.SEEK_END)
    if size > MAX_REPORT_BYTES:
        return _failed(order, f"the report has {size:,} bytes")
    answer.seek(0)
    try:
        report = CheckReport.from_json(json.load(answer))
    except (ValueError, RecursionError, IntegrityError) as error:
        return _failed(order, f"the process gave no report: {type(error).__name__}")
    silent = [file.path for file in order.files if not report.of(file.path)]
    missing = (not_checked(CHECK, __version__, path, "no check had anything to say") for path in silent)
    return CheckReport((*report.findings, *missing), report.tools)


def _failed(order: CheckOrder, why: str) -> CheckReport:
    paths = [file.path for file in order.files]
    return CheckReport(tuple(not_checked(CHECK, __version__, path, why) for path in paths), {})
