"""Output checks: what a machine finds about a file on its way out, before people decide.

A check is not a decision. A finding says `pass`, `fail` or `review`, and shows what it rests on; a
check that did not come to an end gives `fail`, never silence. Findings are for the author and the
checkers of a request: they may quote a result and never go into the audit log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from phems.errors import IntegrityError


class Verdict(StrEnum):
    """What a check says: nothing found, something found, or a person has to look."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    REVIEW = "review"


# Checks whose failure no reason makes good: a file that is not what it says, a picture that carries more than
# itself. Writing the file again does.
BEYOND_JUSTIFICATION = frozenset({"file-type", "image"})

# From the mildest to the gravest.
_GRAVITY = (Verdict.PASS, Verdict.REVIEW, Verdict.FAIL)
# Checks on the request as a whole may take as long as those on two files.
_REQUEST_SHARE = 2


@dataclass(frozen=True)
class Finding:
    """What one check found about one file, or, with `path` None, about the request as a whole."""

    check: str
    version: str
    path: str | None
    verdict: Verdict
    summary: str
    """One sentence for people."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What the verdict rests on, as JSON."""

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {
            "check": self.check,
            "version": self.version,
            "path": self.path,
            "verdict": self.verdict.value,
            "summary": self.summary,
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        """Read `as_json`; raises `IntegrityError` for anything else."""
        try:
            finding = cls(
                check=value["check"],
                version=value["version"],
                path=value["path"],
                verdict=Verdict(value["verdict"]),
                summary=value["summary"],
                evidence=dict(value["evidence"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _no_finding(repr(error)) from error
        texts = (finding.check, finding.version, finding.summary, finding.path or "")
        if not all(isinstance(text, str) for text in texts):
            raise _no_finding("check, version, summary and path are texts")
        return finding


def not_checked(check: str, version: str, path: str | None, why: str) -> Finding:
    """The finding of a check that crashed, hung or was killed: `fail`, with the reason as evidence."""
    return Finding(check, version, path, Verdict.FAIL, "could not be checked", {"reason": why})


def worst(findings: Iterable[Finding]) -> Verdict:
    """The gravest verdict; `review` when there is no finding at all, for nobody has looked then."""
    verdicts = [finding.verdict for finding in findings]
    return max(verdicts, key=_GRAVITY.index) if verdicts else Verdict.REVIEW


@dataclass(frozen=True)
class CheckedFile:
    """A frozen file as the checks see it: of this request, or of an earlier one of the project."""

    path: str
    name: str
    """As its author named it: the path without `outputs/<run id>/`."""
    request_id: str
    state: str
    """The state of its request."""
    turn: int
    sha256: str
    size: int
    """Bytes."""
    media_type: str
    run_id: str
    place: Path
    """Where its bytes lie, as the checking process sees them."""
    declaration: Mapping[str, Any] | None = None
    """What its author declared (see `phems.contract.disclosure`); None when nothing."""

    def as_json(self) -> dict[str, Any]:
        """The file as JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "place": str(self.place), "declaration": _plain(self.declaration)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CheckedFile:
        """Read `as_json`."""
        return cls(**{**value, "place": Path(value["place"])})


@dataclass(frozen=True)
class CheckOrder:
    """What to check: the files of one turn of one request, beside all that was asked for before."""

    project: str
    request_id: str
    turn: int
    files: tuple[CheckedFile, ...]
    history: tuple[CheckedFile, ...]
    """The outputs of every earlier request and turn of the project."""
    policy: Mapping[str, Any]
    """The policy's `file_types`, `max_file_size` (bytes), `thresholds` and `checks` (see the node spec)."""
    supporting: tuple[CheckedFile, ...] = ()
    """Files of the request that only checkers see: checks may rest on them, and do not check them."""

    @property
    def seconds(self) -> float:
        """How long all checks together may take."""
        return float(self.policy["checks"]["seconds"] * (len(self.files) + _REQUEST_SHARE))

    def as_json(self) -> dict[str, Any]:
        """The order as JSON."""
        return {
            "project": self.project,
            "request_id": self.request_id,
            "turn": self.turn,
            "files": [file.as_json() for file in self.files],
            "history": [file.as_json() for file in self.history],
            "policy": dict(self.policy),
            "supporting": [file.as_json() for file in self.supporting],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CheckOrder:
        """Read `as_json`."""
        groups = ("files", "history", "supporting")
        files = {name: tuple(map(CheckedFile.from_json, value[name])) for name in groups}
        return cls(**{**value, **files})


@dataclass(frozen=True)
class CheckReport:
    """All findings on one turn of a request, and what they were made with (tool -> version)."""

    findings: tuple[Finding, ...]
    tools: Mapping[str, str]

    def of(self, path: str | None) -> tuple[Finding, ...]:
        """The findings on one file; with None those on the request as a whole."""
        return tuple(finding for finding in self.findings if finding.path == path)

    def failed(self, path: str) -> tuple[Finding, ...]:
        """The failures that stand in the way of approving one file."""
        return tuple(finding for finding in self.of(path) if finding.verdict is Verdict.FAIL)

    def is_barred(self, path: str) -> bool:
        """Whether one file may not be approved at all: what it failed is `BEYOND_JUSTIFICATION`."""
        return any(finding.check in BEYOND_JUSTIFICATION for finding in self.failed(path))

    def as_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return {"findings": [finding.as_json() for finding in self.findings], "tools": dict(self.tools)}

    @classmethod
    def from_json(cls, value: Any) -> CheckReport:
        """Read `as_json`; raises `IntegrityError` for anything else."""
        try:
            findings = tuple(Finding.from_json(finding) for finding in value["findings"])
            tools = {str(tool): str(version) for tool, version in value["tools"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise _no_finding(repr(error)) from error
        return cls(findings, tools)


def _plain(declaration: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return dict(declaration) if declaration is not None else None


def _no_finding(why: str) -> IntegrityError:
    return IntegrityError(
        "The output checks gave something that is no report.",
        why=why,
        remedy="Look for a newer version of the plug-in that gave it.",
    )
