"""Code revisions: submitting them, reading them, and approving, rejecting and revoking them."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from phems.domain.approvals import Approval as CodeApproval
from phems.domain.approvals import Signature
from phems.domain.code_diffs import CodeDiff
from phems.domain.code_revisions import CodeRevision, CodeRevisionState
from phems.errors import InputError
from phems.gateway.api.asking import Cases, Person, Project, row
from phems.gateway.api.bodies import Body, Reason
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit, Page, page
from phems.gateway.api.etags import IfMatch, check_unchanged
from phems.gateway.api.use_cases import UseCases
from phems.gateway.entity_tags import etag
from phems.services.code_approvals import SignedStatement

router = APIRouter(prefix="/projects/{project}/code-revisions", tags=["code"])

Commit = Annotated[
    str, Path(description="The commit, or enough of its first characters.", pattern="^[0-9a-f]{4,64}$")
]

Against = Annotated[
    str | None,
    Query(
        pattern="^[0-9a-f]{4,64}$",
        description="Another code revision; without it, the last that was approved before.",
    ),
]
Lines = Annotated[bool, Query(description="Every changed line, as diff -u has them.")]
Paths = Annotated[
    list[str] | None,
    Query(alias="path", max_length=100, description="The changed lines of this file alone; may be repeated."),
]


class ApprovalRow(BaseModel):
    """One approver's word, in one turn."""

    approver: str
    at: datetime
    turn: int
    note: str
    policy_version: str
    key_id: str | None = Field(description="The key that signed it; null when it is not signed.")
    signature: Signature | None = Field(description="The key and what it signed with, base64.")


class CodeRevisionRow(BaseModel):
    """A code revision."""

    project: str
    commit: str
    state: CodeRevisionState
    turn: int
    digest: str = Field(description="The content digest of the commit's tree.")
    environment_digest: str | None = Field(description="The digest of its lock file.")
    branch: str
    subject: str = Field(description="The first line of the commit's message: its author's words.")
    authors: list[str] = Field(description="Every name the author may have here; none of them approves.")
    submitter: str
    submitted_at: datetime
    approvals: list[ApprovalRow]
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    stop_runs: bool = Field(description="Whether it was revoked so that running runs end, too.")


class CountedRow(ApprovalRow):
    """An approval as it stands today."""

    problem: str | None = Field(description="Why it does not count; null when it does.")


class Submission(Body):
    """What to submit."""

    commit: str | None = Field(
        default=None,
        max_length=200,
        pattern="^[!-~]+$",
        description="A commit of the project's branch, or its first characters; null: the branch's tip.",
    )


class Approval(Body):
    """An approval, signed by the node with your key, or by yourself."""

    note: str = Field(default="", max_length=2000, description="A remark.")
    statement: str | None = Field(
        default=None,
        max_length=10_000,
        description="The statement that you signed, base64, when you keep your own key.",
    )
    signature: str | None = Field(
        default=None, max_length=200, description="Your signature over it (Ed25519), base64."
    )


class Rejection(Body):
    """A rejection, or going back: with the reason."""

    reason: Reason


class Revocation(Body):
    """A revocation."""

    reason: Reason
    stop_runs: bool = Field(default=False, description="End the runs that are on their way, too.")


class Statement(BaseModel):
    """What an approver signs who keeps their own key."""

    statement: str = Field(description="The bytes to sign, base64: RFC 8785 JSON.")


@router.get("", **row("code.list", "code.list"))
def list_(
    cases: Cases, person: Person, project: Project, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[CodeRevisionRow]:
    """List the code revisions of a project, the last submitted first."""
    rows = [_row(found) for found in cases.code_revisions.list(person, project)]
    return page(rows, lambda found: (found.submitted_at.isoformat(), found.commit), cursor, limit)


@router.post("", **row("code.submit", "code.submit", status_code=201))
def submit(
    cases: Cases, person: Person, project: Project, body: Submission, response: Response
) -> CodeRevisionRow:
    """Submit a commit of the project's branch for approval."""
    return _shown(cases.code_revisions.submit(person, project, body.commit), response)


@router.get("/{commit}", **row("code.show", "code.list"))
def show(
    cases: Cases, person: Person, project: Project, commit: Commit, response: Response
) -> CodeRevisionRow:
    """Show one code revision, with its approvals."""
    return _shown(cases.code_revisions.show(person, project, commit), response)


@router.get("/{commit}/approvals", **row("code.approvals", "code.list"))
def approvals(cases: Cases, person: Person, project: Project, commit: Commit) -> list[CountedRow]:
    """The approvals of the present turn, each verified now."""
    found = cases.code_revisions.approvals(person, project, commit)
    return [CountedRow(**_approval(each.approval), problem=each.problem) for each in found]


@router.get("/{commit}/diff", **row("code.diff", "code.list"))
def diff(
    cases: Cases,
    person: Person,
    project: Project,
    commit: Commit,
    against: Against = None,
    lines: Lines = False,  # noqa: FBT002 (a query parameter, always named)
    paths: Paths = None,
) -> CodeDiff:
    """What a code revision changes: dependencies, files and, if asked for, lines."""
    return cases.code_diffs.diff(
        person, project, commit, against=against, with_lines=lines or bool(paths), paths=paths or ()
    )


@router.get("/{commit}/statement", **row("code.statement", "code.approve"))
def statement(cases: Cases, person: Person, project: Project, commit: Commit) -> Statement:
    """What you sign to approve it, when you keep your own key."""
    to_sign = cases.code_revisions.statement(person, project, commit)
    return Statement(statement=base64.b64encode(to_sign).decode())


@router.post("/{commit}/approve", **row("code.approve", "code.approve"))
def approve(
    cases: Cases,
    person: Person,
    project: Project,
    commit: Commit,
    body: Approval,
    response: Response,
    if_match: IfMatch = None,
) -> CodeRevisionRow:
    """Approve a code revision; with enough approvals, new runs use it."""
    _check_unchanged(cases, person, project, commit, if_match)
    revision = cases.code_revisions.approve(person, project, commit, note=body.note, signed=_signed(body))
    return _shown(revision, response)


@router.post("/{commit}/reject", **row("code.reject", "code.reject"))
def reject(
    cases: Cases,
    person: Person,
    project: Project,
    commit: Commit,
    body: Rejection,
    response: Response,
    if_match: IfMatch = None,
) -> CodeRevisionRow:
    """Reject a code revision that is not approved yet."""
    _check_unchanged(cases, person, project, commit, if_match)
    return _shown(cases.code_revisions.reject(person, project, commit, reason=body.reason), response)


@router.post("/{commit}/rollback", **row("code.rollback", "code.approve"))
def rollback(
    cases: Cases,
    person: Person,
    project: Project,
    commit: Commit,
    body: Rejection,
    response: Response,
    if_match: IfMatch = None,
) -> CodeRevisionRow:
    """Go back to a code revision that was replaced, while its approvals count."""
    _check_unchanged(cases, person, project, commit, if_match)
    return _shown(cases.code_revisions.restore(person, project, commit, reason=body.reason), response)


@router.post("/{commit}/revoke", **row("code.revoke", "code.revoke"))
def revoke(
    cases: Cases,
    person: Person,
    project: Project,
    commit: Commit,
    body: Revocation,
    response: Response,
    if_match: IfMatch = None,
) -> CodeRevisionRow:
    """Take an approval back, for good: nothing with this content starts again."""
    _check_unchanged(cases, person, project, commit, if_match)
    revision = cases.code_revisions.revoke(
        person, project, commit, reason=body.reason, stop_runs=body.stop_runs
    )
    return _shown(revision, response)


def _shown(revision: CodeRevision, response: Response) -> CodeRevisionRow:
    shown = _row(revision)
    response.headers["ETag"] = etag(shown)
    return shown


def _check_unchanged(
    cases: UseCases, person: Person, project: str, commit: str, if_match: str | None
) -> None:
    if if_match is not None:
        present = cases.code_revisions.show(person, project, commit)
        check_unchanged(if_match, _row(present), name=f"The code revision {present.name}")


def _signed(body: Approval) -> SignedStatement | None:
    if body.statement is None and body.signature is None:
        return None
    try:
        return SignedStatement(base64.b64decode(body.statement or "", validate=True), body.signature or "")
    except ValueError as error:
        raise InputError(
            "The statement is not base64.",
            why="it has other characters, or a part is missing.",
            remedy="Send what GET .../statement gave, unchanged, with your signature.",
        ) from error


def _row(revision: CodeRevision) -> CodeRevisionRow:
    return CodeRevisionRow(
        project=revision.project,
        commit=revision.commit,
        state=revision.state,
        turn=revision.turn,
        digest=revision.digest,
        environment_digest=revision.environment_digest,
        branch=revision.branch,
        subject=revision.subject,
        authors=sorted(revision.authors),
        submitter=revision.submitter,
        submitted_at=revision.submitted_at,
        approvals=[ApprovalRow(**_approval(approval)) for approval in revision.approvals],
        decided_by=revision.decided_by,
        decided_at=revision.decided_at,
        reason=revision.reason,
        stop_runs=revision.stop_runs,
    )


def _approval(approval: CodeApproval) -> dict[str, Any]:
    return {
        "approver": approval.approver,
        "at": approval.at,
        "turn": approval.turn,
        "note": approval.note,
        "policy_version": approval.policy_version,
        "key_id": approval.signature.key_id if approval.signature else None,
        "signature": approval.signature,
    }
