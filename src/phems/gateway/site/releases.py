"""Release requests: a project's list of them, one of them with its review, and its package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from phems.domain.outputs import name_of
from phems.domain.release_states import UNDER_REVIEW
from phems.domain.release_views import ReleaseView
from phems.domain.votes import ReviewPhase, Vote
from phems.errors import InputError
from phems.gateway.api.packages import package_reply
from phems.gateway.site.ask import Ask, address
from phems.gateway.site.findings import ShownFinding, shown_findings
from phems.gateway.site.page import ACT_FIELD, Page
from phems.gateway.site.release_again import PAGE as AGAIN
from phems.gateway.site.release_forms import FIELDS, FORMS, JUSTIFICATION, REASON, VOTE
from phems.gateway.site.release_standing import PHASES, STATES, next_steps, standing, unvoted
from phems.gateway.site.seen import mark
from phems.services.release_summaries import FileSummary, GroupSummary, summary_of

_LATEST_TURN = 1_000_000


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


def _list(ask: Ask) -> Response:
    project = ask.known_project()
    views = ask.cases.releases.list(ask.person, project)
    rows = [(view, standing(ask, view)) for view in views]
    waiting = {
        view.request.id: len(unvoted(view, ask.person.name)) if may.may_vote else 0 for view, may in rows
    }
    values = {
        "title": f"Release requests of {project}",
        "trail": _trail(project)[:-1],
        "project": project,
        "rows": sorted(views, key=lambda view: not waiting[view.request.id]),
        "waiting": waiting,
        "states": STATES,
        "may_ask": ask.may("release.request", project),
    }
    return ask.answer("releases.html", values)


def _show(ask: Ask) -> Response:
    name = ask.name("request")
    turn = _turn(ask)
    view = ask.cases.releases.show(ask.person, name, turn=turn)
    latest = view if turn is None else ask.cases.releases.show(ask.person, name)
    past = view.request.turn != latest.request.turn
    summary, may = summary_of(view), standing(ask, latest)
    values: dict[str, Any] = {
        "title": f"Release request {name}",
        "trail": _trail(summary.project),
        "request": summary,
        "view": view,
        "may": may,
        "past": past,
        "steps": [] if past else next_steps(ask, latest, may),
        "state_words": STATES[view.request.state],
        "phase_words": PHASES[view.phase] if view.request.state in UNDER_REVIEW else "",
        "findings": shown_findings(summary.findings),
        "groups": _groups(ask, view, past=past),
        "comments": summary.comments,
        "history": [
            (event, (name_of(event.about) or event.about) if event.about else "")
            for event in ask.cases.releases.history(ask.person, name)
        ],
        "turns": _turns(latest),
        "seen": mark(summary_of(latest)),
        "error_field": FIELDS.get(ask.text(ACT_FIELD), ""),
        "runs": [
            (run, address("projects", summary.project, "runs", run.run_id), run.commit)
            for run in view.request.runs
        ],
        "votes": list(Vote),
    }
    if ask.error is not None:
        values["error_field"] = _missing(ask, values["groups"]) or values["error_field"]
    return ask.answer("release.html", values)


def _package(ask: Ask) -> Response:
    """The released package as a tar, verified against its manifest."""
    name = ask.name("request")
    released_at = ask.cases.releases.show(ask.person, name).request.released_at
    return package_reply(
        name, lambda folder: ask.cases.releases.download(ask.person, name, folder), at=released_at
    )


def _groups(ask: Ask, view: ReleaseView, *, past: bool) -> list[Group]:
    summary = summary_of(view)
    whole_fails = any(finding.verdict == "fail" for finding in summary.findings)
    seen = view.phase is not ReviewPhase.INDEPENDENT
    rows = [
        _row(ask, view, file, number, whole_fails=whole_fails, seen=seen, past=past)
        for number, file in enumerate(summary.files, start=1)
    ]
    return [
        Group(group, tuple(row for row in rows if row.file.group == group.name)) for group in summary.groups
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


def _missing(ask: Ask, groups: Sequence[Group]) -> str:
    """The field that a failed vote leaves wanting, by its id; empty when it is none of a file."""
    if ask.text(ACT_FIELD) != "vote":
        return ""
    for row in (row for group in groups for row in group.rows):
        approves = ask.text(VOTE + row.file.path) == Vote.APPROVED.value
        if approves and row.needs_justification and not row.justification:
            return f"justification-{row.number}"
        changes = row.needs_reason and row.own != row.file.votes.get(ask.person.name, "")
        if changes and not row.reason:
            return f"reason-{row.number}"
    return ""


def _turns(latest: ReleaseView) -> list[Mapping[str, Any]]:
    ended = [(turn.turn, turn.state.value) for turn in latest.request.ended_turns]
    return [
        {"turn": turn, "state": state, "link": address("releases", latest.request.id, turn=turn)}
        for turn, state in (*ended, (latest.request.turn, latest.request.state.value))
    ]


def _turn(ask: Ask) -> int | None:
    given = ask.query("turn")
    if not given:
        return None
    if not (given.isascii() and given.isdigit()) or not 1 <= int(given[:9]) <= _LATEST_TURN:
        raise InputError("That is no turn of a request.", remedy="Choose one on the request's page.")
    return int(given[:9])


def _trail(project: str) -> list[tuple[str, str]]:
    return [
        ("Projects", "/projects"),
        (project, address("projects", project)),
        ("Release requests", address("projects", project, "releases")),
    ]


PAGES = (
    Page("/projects/{project}/releases", _list),
    Page("/releases/{request}", _show, FORMS),
    AGAIN,
    Page("/releases/{request}/package", _package),
)
