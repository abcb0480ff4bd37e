"""Requests of declared tables, with a past, as the checks see them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.unit.output_checks.conftest import policy

from phems.domain.output_checks import CheckedFile, CheckOrder, Finding, Verdict
from phems.output_checks.plugin import Check, CheckContext, FileCheck

PATIENTS: Mapping[str, Any] = {
    "kind": "frequency",
    "dimensions": ["sex", "stage"],
    "count": "patients",
    "totals": "Total",
    "suppressed": "*",
    "population": "registry 2024",
}


@dataclass
class Desk:
    """One request with its files, and the requests before it."""

    folder: Path
    files: list[CheckedFile] = field(default_factory=list)
    supporting: list[CheckedFile] = field(default_factory=list)
    history: list[CheckedFile] = field(default_factory=list)

    def add(self, name: str, content: str, declaration: Any = None) -> CheckedFile:
        """An output of the request."""
        self.files.append(self._file(name, content, declaration, "rr-now", "PENDING", 1))
        return self.files[-1]

    def support(self, name: str, content: str, declaration: Any = None) -> CheckedFile:
        """A supporting file of the request."""
        self.supporting.append(self._file(name, content, declaration, "rr-now", "PENDING", 1))
        return self.supporting[-1]

    def before(
        self,
        name: str,
        content: str,
        declaration: Any = None,
        *,
        request: str = "rr-before",
        state: str = "RELEASED",
        turn: int = 1,
    ) -> CheckedFile:
        """A file of an earlier request."""
        self.history.append(self._file(name, content, declaration, request, state, turn))
        return self.history[-1]

    def ask(self, check: Check, **changes: Any) -> list[Finding]:
        """What a check finds; `changes` of thresholds and limits."""
        order = CheckOrder(
            *("heart", "rr-now", 1, tuple(self.files), tuple(self.history), policy(**changes)),
            supporting=tuple(self.supporting),
        )
        context = CheckContext(order, self.folder)
        if isinstance(check, FileCheck):
            return [found for file in order.files for found in check.check_file(file, context)]
        return list(check.check_request(context))

    def _file(
        self, name: str, content: str, declaration: Any, request: str, state: str, turn: int
    ) -> CheckedFile:
        place = self.folder / request / str(turn) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        return CheckedFile(
            path=f"outputs/run-{request}-{turn}/{name}",
            name=name,
            request_id=request,
            state=state,
            turn=turn,
            sha256=hashlib.sha256(content.encode()).hexdigest(),
            size=len(content),
            media_type="text/csv",
            run_id=f"run-{request}-{turn}",
            place=place,
            declaration=declaration,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty request."""
    return Desk(tmp_path)


def of(findings: list[Finding], verdict: Verdict) -> list[Finding]:
    """The findings of one verdict."""
    return [found for found in findings if found.verdict is verdict]
