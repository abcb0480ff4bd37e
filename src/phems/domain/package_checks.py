"""What of the output checks' findings goes into a package: enough to see what was checked, and no more.

A finding can say more than the file it is about: that a cell hides three patients, which number was found,
how the file differs from one that was never released. So findings on withheld files stay, and evidence leaves
only where a check found nothing, and names no other request. The full findings stay in the node; the number
of those left out is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from phems.domain.canonical import canonical
from phems.domain.output_checks import Finding, Verdict
from phems.domain.outputs import name_of
from phems.domain.release_facts import ReleaseFacts
from phems.domain.release_packages import package_paths

FORM = 1
_REQUEST = re.compile(r"\brr-[a-z2-7]{8}\b")


def checks_of(facts: ReleaseFacts) -> bytes:
    """`checks.json`, canonical JSON."""
    findings, report = released_findings(facts), facts.report
    return canonical(
        {
            "checks_version": FORM,
            "request": facts.request.id,
            "turn": facts.request.turn,
            "policy_version": facts.policy_version,
            "checked": report is not None,
            "tools": dict(report.tools) if report else {},
            "findings": findings,
            "findings_withheld": len(report.findings) - len(findings) if report else 0,
        }
    )


def released_findings(facts: ReleaseFacts) -> list[dict[str, Any]]:
    """The findings that leave, `path` being where the file lies in the package, or None for the whole."""
    if facts.report is None:
        return []
    paths: dict[str | None, str | None] = {None: None}
    paths.update(package_paths(facts.files))
    withheld = _withheld_names(facts)
    return [
        _public(finding, paths[finding.path], facts.request.id, withheld)
        for finding in facts.report.findings
        if finding.path in paths
    ]


def _public(finding: Finding, path: str | None, request_id: str, withheld: frozenset[str]) -> dict[str, Any]:
    said = {
        "check": finding.check,
        "version": finding.version,
        "path": path,
        "verdict": finding.verdict.value,
    }
    if finding.verdict is Verdict.PASS and not _tells(
        [finding.summary, finding.evidence], request_id, withheld
    ):
        return {**said, "summary": finding.summary, "evidence": dict(finding.evidence)}
    return {**said, "evidence_withheld": True}


def _withheld_names(facts: ReleaseFacts) -> frozenset[str]:
    leaving = {file.path for file in facts.files}
    kept = [file.path for file in facts.request.files if file.path not in leaving]
    return frozenset(kept) | frozenset(name_of(path) for path in kept)


def _tells(value: Any, request_id: str, withheld: frozenset[str]) -> bool:
    """Whether a text in `value` names another request, or a file that stays."""
    if isinstance(value, str):
        return any(name != request_id for name in _REQUEST.findall(value)) or any(
            name in value for name in withheld
        )
    if isinstance(value, Mapping):
        return any(_tells(inner, request_id, withheld) for pair in value.items() for inner in pair)
    if isinstance(value, list | tuple):
        return any(_tells(inner, request_id, withheld) for inner in value)
    return False
