"""The files of a release request as pages show them: each with its findings, votes, and what a vote needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phems.domain.release_views import ReleaseView
from phems.domain.votes import ReviewPhase, Vote
from phems.gateway.site.ask import Ask, address
from phems.gateway.site.findings import ShownFinding, shown_findings
from phems.gateway.site.page import ACT_FIELD
from phems.gateway.site.release_forms import JUSTIFICATION, REASON, VOTE
from phems.services.release_summaries import FileSummary, GroupSummary, summary_of


@dataclass(frozen=True)
class FileVote:
    """A vote on a file that this person may see."""

    checker: str
    vote: str
    justification: str
    reason: str
    is_signed: bool


@dataclass(frozen=True)
class FileRow:
    """A file of a request as its page shows it."""

    number: int
    file: FileSummary
    link: str
    findings: tuple[ShownFinding, ...]
    votes: tuple[FileVote, ...]
    own: str
    """This person's vote, or what they chose on a form that failed."""
    justification: str
    reason: str
    needs_justification: bool
    is_barred: bool
    needs_reason: bool


@dataclass(frozen=True)
class Group:
    """A file group and its rows."""

    group: GroupSummary
    rows: tuple[FileRow, ...]


def grouped(view: ReleaseView, rows: Sequence[FileRow]) -> list[Group]:
    """The rows by file group, in the order of the request."""
    return [
        Group(group, tuple(row for row in rows if row.file.group == group.name))
        for group in summary_of(view).groups
    ]


def file_rows(ask: Ask, view: ReleaseView, *, past: bool) -> list[FileRow]:
    """A row for each file of the view; `past` says that it is of an earlier turn."""
    summary = summary_of(view)
    whole_fails = any(finding.verdict == "fail" for finding in summary.findings)
    seen = view.phase is not ReviewPhase.INDEPENDENT
    return [
        _row(ask, view, file, number, whole_fails=whole_fails, seen=seen, past=past)
        for number, file in enumerate(summary.files, start=1)
    ]


def _row(
    ask: Ask, view: ReleaseView, file: FileSummary, number: int, *, whole_fails: bool, seen: bool, past: bool
) -> FileRow:
    present = file.votes.get(ask.person.name, "")
    failed = whole_fails or any(finding.verdict == "fail" for finding in file.findings)
    return FileRow(
        number=number,
        file=file,
        link=file_address(view, file.path, past=past),
        findings=shown_findings(file.findings),
        votes=tuple(
            FileVote(
                checker,
                vote,
                file.justifications.get(checker, ""),
                file.reasons.get(checker, ""),
                checker in file.signed_by,
            )
            for checker, vote in file.votes.items()
        ),
        own=ask.text(VOTE + file.path) or present,
        justification=ask.text(JUSTIFICATION + file.path),
        reason=ask.text(REASON + file.path),
        needs_justification=failed,
        is_barred=view.report is not None and view.report.is_barred(file.path),
        needs_reason=seen and bool(present),
    )


def file_address(view: ReleaseView, path: str, *, past: bool) -> str:
    """Where a file of a request is looked at."""
    turn = view.request.turn if past else None
    return address("releases", view.request.id, "file", path=path, turn=turn)


def missing_field(ask: Ask, rows: Sequence[FileRow]) -> str:
    """The field that a failed vote leaves wanting, by its id; empty when it is none of a file."""
    if ask.text(ACT_FIELD) != "vote":
        return ""
    for row in rows:
        approves = ask.text(VOTE + row.file.path) == Vote.APPROVED.value
        if approves and row.needs_justification and not row.justification:
            return f"justification-{row.number}"
        changes = row.needs_reason and row.own != row.file.votes.get(ask.person.name, "")
        if changes and not row.reason:
            return f"reason-{row.number}"
    return ""
