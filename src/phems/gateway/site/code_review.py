"""Code revisions: a project's list of them, and one of them as its approver reads it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from phems.domain.approver_keys import ApproverKeyState
from phems.domain.code_diffs import CodeDiff, FileDiff
from phems.domain.code_revisions import CODE_REVISIONS, CodeRevision, CodeRevisionAction
from phems.errors import PhemsError
from phems.gateway.site.ask import Ask, address
from phems.gateway.site.code_colours import DiffLine, shown_lines
from phems.gateway.site.code_facts import facts
from phems.gateway.site.code_forms import FIELDS, LIST_FORMS, REVIEW_FORMS
from phems.gateway.site.code_standing import STATES, WAITING, why_not
from phems.gateway.site.page import ACT_FIELD, Page
from phems.gateway.site.seen import mark
from phems.services.code_summaries import revision_summary

SHOWN = 100
# So many lines are read on one page; further files are asked for one by one.
MOST_LINES = 3000
MOST_FILES = 300
MOST_DEPENDENCIES = 500
# What is odd in a lock file comes first.
_ODD = ("repinned", "downgraded")


@dataclass(frozen=True)
class ShownFile:
    """A file of a diff, and its lines as far as the page has room; `link` asks for them by themselves."""

    number: int
    file: FileDiff
    lines: tuple[DiffLine, ...]
    left: int
    link: str


def _list(ask: Ask) -> Response:
    project = ask.known_project()
    revisions = ask.cases.code_revisions.list(ask.person, project)
    ordered = sorted(revisions, key=lambda revision: revision.state not in WAITING)
    values = {
        "title": f"Code of {project}",
        "trail": _trail(project)[:-1],
        "project": project,
        "revisions": ordered[: None if ask.query("all") else SHOWN],
        "all_of_them": address("projects", project, "code", all="yes")
        if len(ordered) > SHOWN and not ask.query("all")
        else "",
        "waiting": WAITING,
        "approves": ask.may("code.approve", project),
        "states": STATES,
        "may_submit": ask.may("code.submit", project),
        "error_field": "commit",
    }
    return ask.answer("code.html", values)


def _show(ask: Ask) -> Response:
    project = ask.known_project()
    cases, commit = ask.cases.code_revisions, ask.name("commit")
    revision = cases.show(ask.person, project, commit)
    progress = cases.progress(ask.person, project, commit)
    path = ask.query("path")
    diff, trouble = _diff(ask, revision, path)
    keeps_key = progress.may_approve and _keeps_key(ask)
    values: dict[str, Any] = {
        "title": f"Code {revision.name}",
        "trail": _trail(project),
        "revision": revision,
        "authors": sorted(revision.authors),
        "state_words": STATES[revision.state],
        "waits": revision.state in WAITING,
        "progress": progress.words,
        "why_not": why_not(ask, revision, progress),
        "approvals": cases.approvals(ask.person, project, commit),
        "diff": diff,
        "dependencies": sorted(diff.dependencies, key=lambda change: change.kind not in _ODD) if diff else [],
        "most_dependencies": MOST_DEPENDENCIES,
        "odd": _ODD,
        "trouble": trouble,
        "base_link": address("projects", project, "code", diff.base) if diff and diff.base else "",
        "files": _files(diff, revision) if diff else [],
        "only": path,
        "facts": facts(revision, diff) if diff else [],
        "may_approve": progress.may_approve,
        "may_reject": ask.may("code.reject", project) and _allows(revision, CodeRevisionAction.REJECT),
        "may_revoke": ask.may("code.revoke", project) and _allows(revision, CodeRevisionAction.REVOKE),
        "may_submit": ask.may("code.submit", project) and _allows(revision, CodeRevisionAction.SUBMIT),
        "keeps_key": keeps_key,
        "statement": _statement(ask, revision) if keeps_key else "",
        "seen": mark(revision_summary(revision)),
        "link": address("projects", project, "code", revision.commit),
        "left_files": max(0, len(diff.files) - MOST_FILES) if diff else 0,
        "command": f"phems code diff --project {project} {revision.commit[:12]} --patch",
    }
    values["error_field"] = _error_field(ask, values)
    return ask.answer("code_revision.html", values)


def _diff(ask: Ask, revision: CodeRevision, path: str) -> tuple[CodeDiff | None, PhemsError | None]:
    """What it changes, or why that cannot be told: the facts of the revision stand without it."""
    try:
        found = ask.cases.code_diffs.diff(
            ask.person, revision.project, revision.commit, with_lines=True, paths=(path,) if path else ()
        )
    except PhemsError as error:
        return None, error
    return found, None


def _files(diff: CodeDiff, revision: CodeRevision) -> list[ShownFile]:
    room, files = MOST_LINES, []
    for number, file in enumerate(diff.files[:MOST_FILES], start=1):
        lines = shown_lines(file.path, file.lines[: room + 2]) if room > 0 else []
        left = max(0, len(file.lines) - 2 - room) if file.lines else 0
        room -= len(lines)
        link = address("projects", revision.project, "code", revision.commit, path=file.path)
        files.append(ShownFile(number, file, tuple(lines), left, link))
    return files


def _error_field(ask: Ask, values: Mapping[str, Any]) -> str:
    """Where the summary of an error leads: to its form, as long as the page still has it."""
    act = ask.text(ACT_FIELD)
    if not values.get(f"may_{act}"):
        return ""
    return "signature" if act == "approve" and values["keeps_key"] else FIELDS.get(act, "")


def _keeps_key(ask: Ask) -> bool:
    """Whether the person signs by themselves: the node has no private key of theirs."""
    keys = ask.cases.approver_keys.list(ask.person.name)
    return any(key.state is ApproverKeyState.CURRENT and key.held_by == "person" for key in keys)


def _statement(ask: Ask, revision: CodeRevision) -> str:
    """What is to be signed, in base64: that of the form when one was sent, for its signature is over it."""
    given = ask.text("statement")
    if given:
        return given
    found = ask.cases.code_revisions.statement(ask.person, revision.project, revision.commit)
    return base64.b64encode(found).decode()


def _allows(revision: CodeRevision, action: CodeRevisionAction) -> bool:
    return CODE_REVISIONS.allows(revision.state, action)


def _trail(project: str) -> list[tuple[str, str]]:
    return [
        ("Projects", "/projects"),
        (project, address("projects", project)),
        ("Code", address("projects", project, "code")),
    ]


PAGES = (
    Page("/projects/{project}/code", _list, LIST_FORMS),
    Page("/projects/{project}/code/{commit}", _show, REVIEW_FORMS),
)
