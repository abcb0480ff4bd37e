"""A release request as programs and tables take it: only what its viewer may see, in plain fields.

These are for people inside of the node: they hold file names, contexts and findings. What leaves the node
is the release package, and what a coordinator may know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phems.domain.output_checks import CheckReport, Finding, worst
from phems.domain.outputs import name_of
from phems.domain.release_views import ReleaseView
from phems.domain.releases import FileGroup, FileKind, FrozenFile


@dataclass(frozen=True)
class FindingSummary:
    """What one output check found."""

    check: str
    version: str
    verdict: str
    summary: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class FileSummary:
    """One file: what was frozen, its decision, and the votes that may be seen (checker to vote).

    `decision` and `checks` (the gravest verdict) are None for files that are not voted on or not checked.
    """

    name: str
    path: str
    group: str
    kind: str
    size: int
    sha256: str
    run: str
    checks: str | None
    findings: tuple[FindingSummary, ...]
    decision: str | None
    votes: dict[str, str]
    justifications: dict[str, str]
    reasons: dict[str, str]
    signed_by: tuple[str, ...]
    withdrawn_by: str | None
    withdrawn_at: datetime | None


@dataclass(frozen=True)
class GroupSummary:
    """One file group, and the names of its files."""

    name: str
    context: str
    controls: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class CommentSummary:
    """One remark; `group` is None when it is on the request as a whole."""

    by: str
    at: datetime
    visibility: str
    turn: int
    group: str | None
    text: str


@dataclass(frozen=True)
class ReleaseSummary:
    """One request, or one turn of it."""

    id: str
    project: str
    state: str
    phase: str
    turn: int
    requester: str
    requested_at: datetime
    asked_by: str
    asked_at: datetime
    context: str
    controls: str
    policy: str
    votes_needed: int
    runs: tuple[str, ...]
    groups: tuple[GroupSummary, ...]
    files: tuple[FileSummary, ...]
    findings: tuple[FindingSummary, ...]
    comments: tuple[CommentSummary, ...]
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    released_at: datetime | None
    package_digest: str | None


@dataclass(frozen=True)
class ReleaseLine:
    """One request in a list; `files` is how many it has."""

    id: str
    project: str
    state: str
    phase: str
    turn: int
    requester: str
    requested_at: datetime
    context: str
    files: int


def line_of(view: ReleaseView) -> ReleaseLine:
    """A view as one line of a list."""
    request = view.request
    return ReleaseLine(
        id=request.id,
        project=request.project,
        state=request.state.value,
        phase=view.phase.value,
        turn=request.turn,
        requester=request.requester,
        requested_at=request.requested_at,
        context=_context(view),
        files=len(request.files),
    )


def summary_of(view: ReleaseView) -> ReleaseSummary:
    """The summary of a view."""
    request = view.request
    return ReleaseSummary(
        id=request.id,
        project=request.project,
        state=request.state.value,
        phase=view.phase.value,
        turn=request.turn,
        requester=request.requester,
        requested_at=request.requested_at,
        asked_by=request.asked_by or request.requester,
        asked_at=request.asked_at or request.requested_at,
        context=_context(view),
        controls="\n".join(group.controls for group in request.groups),
        policy=request.policy.name,
        votes_needed=request.policy.votes,
        runs=tuple(run.run_id for run in request.runs),
        groups=tuple(_group(view, group) for group in request.groups),
        files=tuple(_file(view, file) for file in request.files),
        findings=_findings(view.report, None),
        comments=tuple(
            CommentSummary(
                comment.by, comment.at, comment.visibility.value, comment.turn, comment.group, comment.text
            )
            for comment in view.comments
        ),
        decided_by=request.decided_by,
        decided_at=request.decided_at,
        reason=request.reason,
        released_at=request.released_at,
        package_digest=request.package_digest,
    )


def _context(view: ReleaseView) -> str:
    return "\n".join(group.context for group in view.request.groups)


def _group(view: ReleaseView, group: FileGroup) -> GroupSummary:
    names = tuple(name_of(file.path) for file in view.request.files if file.group == group.name)
    return GroupSummary(group.name, group.context, group.controls, names)


def _file(view: ReleaseView, file: FrozenFile) -> FileSummary:
    present = [vote for vote in view.votes if vote.path == file.path and vote.turn == view.request.turn]
    found = view.report.of(file.path) if view.report is not None else ()
    return FileSummary(
        name=name_of(file.path),
        path=file.path,
        group=file.group,
        kind=file.kind.value,
        size=file.size,
        sha256=file.sha256,
        run=file.run_id,
        checks=worst(found).value if view.report is not None and file.kind is FileKind.OUTPUT else None,
        findings=_findings(view.report, file.path),
        decision=view.decisions[file.path].value if file.path in view.decisions else None,
        votes={vote.checker: vote.vote.value for vote in present},
        justifications={vote.checker: vote.justification for vote in present if vote.justification},
        reasons={vote.checker: vote.reason for vote in present if vote.reason},
        signed_by=tuple(sorted(vote.checker for vote in present if vote.signature is not None)),
        withdrawn_by=file.withdrawn_by,
        withdrawn_at=file.withdrawn_at,
    )


def _findings(report: CheckReport | None, path: str | None) -> tuple[FindingSummary, ...]:
    return tuple(_finding(finding) for finding in report.of(path)) if report is not None else ()


def _finding(finding: Finding) -> FindingSummary:
    return FindingSummary(
        finding.check, finding.version, finding.verdict.value, finding.summary, dict(finding.evidence)
    )
