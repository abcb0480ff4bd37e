"""What output checks found, as pages show it: verdict, words, and the evidence as lines and small tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phems.services.release_summaries import FindingSummary

# The gravest first.
_ORDER = {"fail": 0, "review": 1, "pass": 2}
_LONGEST = 2000


@dataclass(frozen=True)
class EvidenceTable:
    """Evidence that is a list of like things: cells of a table, say."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Evidence:
    """One part of what a finding rests on: words, or a table."""

    name: str
    words: str = ""
    table: EvidenceTable | None = None


@dataclass(frozen=True)
class ShownFinding:
    """A finding with its evidence made out."""

    check: str
    version: str
    verdict: str
    summary: str
    evidence: tuple[Evidence, ...]


def shown_findings(findings: Sequence[FindingSummary]) -> tuple[ShownFinding, ...]:
    """The findings for a page, the gravest first."""
    ordered = sorted(findings, key=lambda finding: _ORDER.get(finding.verdict, 0))
    return tuple(
        ShownFinding(
            finding.check,
            finding.version,
            finding.verdict,
            finding.summary,
            tuple(_evidence(name, value) for name, value in finding.evidence.items()),
        )
        for finding in ordered
    )


def _evidence(name: str, value: Any) -> Evidence:
    label = str(name).replace("_", " ")
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        columns = tuple(dict.fromkeys(str(key) for item in value for key in item))
        rows = tuple(tuple(_words(item.get(column, "")) for column in columns) for item in value)
        return Evidence(label, table=EvidenceTable(columns, rows))
    return Evidence(label, words=_words(value))


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        words = value
    elif isinstance(value, list | tuple) and not any(isinstance(item, list | Mapping) for item in value):
        words = ", ".join(map(_words, value))
    elif isinstance(value, Mapping) and not any(isinstance(item, list | Mapping) for item in value.values()):
        words = ", ".join(f"{key}: {_words(item)}" for key, item in value.items())
    else:
        words = json.dumps(value, ensure_ascii=False, default=str)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."
