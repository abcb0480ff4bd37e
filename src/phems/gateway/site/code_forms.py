"""What the forms of code revisions do: submit, approve, reject, revoke. Each calls one use case."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from phems.errors import InputError
from phems.gateway.site.ask import ACT_DONE, Ask, address
from phems.gateway.site.page import Act
from phems.gateway.site.seen import check_seen
from phems.services.code_approvals import SignedStatement
from phems.services.code_summaries import revision_summary


def submit(ask: Ask) -> str:
    """Submit the tip of the project's branch, or the commit that is named."""
    project = ask.known_project()
    commit = ask.text("commit").lower() or None
    revision = ask.cases.code_revisions.submit(ask.person, project, commit)
    return address("projects", project, "code", revision.commit, **{ACT_DONE: "code.submit"})


def approve(ask: Ask) -> str:
    """Approve what was seen, signed by the node with the person's key, or by themselves."""
    project, commit = _checked(ask)
    signed = _signed(ask)
    ask.cases.code_revisions.approve(ask.person, project, commit, note=ask.text("note"), signed=signed)
    return _back(project, commit, "code.approve")


def reject(ask: Ask) -> str:
    """Reject what was seen."""
    project, commit = _checked(ask)
    ask.cases.code_revisions.reject(ask.person, project, commit, reason=ask.text("reject_reason"))
    return _back(project, commit, "code.reject")


def revoke(ask: Ask) -> str:
    """Take an approval back, and end runs that are on their way if that is chosen."""
    project, commit = _checked(ask)
    ask.cases.code_revisions.revoke(
        ask.person,
        project,
        commit,
        reason=ask.text("revoke_reason"),
        stop_runs=ask.text("stop_runs") == "yes",
    )
    return _back(project, commit, "code.revoke")


LIST_FORMS: Mapping[str, Act] = {"submit": submit}
REVIEW_FORMS: Mapping[str, Act] = {"approve": approve, "reject": reject, "revoke": revoke, "submit": submit}

# What an error is about, by the form: where the summary of an error leads.
FIELDS: Mapping[str, str] = {
    "approve": "approve",
    "reject": "reject_reason",
    "revoke": "revoke_reason",
    "submit": "submit",
}


def _checked(ask: Ask) -> tuple[str, str]:
    """The project and commit, when the revision is as the form's page showed it."""
    project, commit = ask.known_project(), ask.name("commit")
    revision = ask.cases.code_revisions.show(ask.person, project, commit)
    check_seen(ask, revision_summary(revision), name=f"The code revision {revision.name}")
    return project, commit


def _signed(ask: Ask) -> SignedStatement | None:
    statement, signature = ask.text("statement"), "".join(ask.text("signature").split())
    if not statement:
        return None
    if not signature:
        raise InputError(
            "Your signature is missing.",
            why="you keep your key yourself: the node cannot sign for you.",
            remedy="Sign the statement with the commands on this page, and paste what they print.",
        )
    try:
        return SignedStatement(base64.b64decode(statement, validate=True), signature)
    except ValueError as error:
        raise InputError("The statement is not the page's own.", remedy="Open the page again.") from error


def _back(project: str, commit: str, done: str) -> str:
    return address("projects", project, "code", commit, **{ACT_DONE: done})
