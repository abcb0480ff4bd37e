"""Where a code revision stands, and what somebody who cannot approve it is told: why not, and who can."""

from __future__ import annotations

from collections.abc import Mapping

from phems.domain.code_revisions import CodeRevision, CodeRevisionState, is_author
from phems.gateway.site.ask import Ask
from phems.services.code_approvals import ApprovalProgress

STATES: Mapping[CodeRevisionState, str] = {
    CodeRevisionState.SUBMITTED: "It waits for approval. No run uses it.",
    CodeRevisionState.UNDER_REVIEW: "It has an approval, and needs more. No run uses it.",
    CodeRevisionState.APPROVED: "It is approved. New runs use it.",
    CodeRevisionState.REJECTED: "It was rejected. It can be submitted again.",
    CodeRevisionState.REPLACED: "A newer one was approved. It can be submitted again, to go back to it.",
    CodeRevisionState.REVOKED: "Its approval was taken back for good. No run of it starts or resumes.",
}
WAITING = frozenset({CodeRevisionState.SUBMITTED, CodeRevisionState.UNDER_REVIEW})


def why_not(ask: Ask, revision: CodeRevision, progress: ApprovalProgress) -> str:
    """Why the person cannot approve it while it waits, and whom it waits for; nothing when they can."""
    if progress.may_approve or revision.state not in WAITING:
        return ""
    return f"{_obstacle(ask, revision, progress)} {_others(ask, revision, progress)}"


def _obstacle(ask: Ask, revision: CodeRevision, progress: ApprovalProgress) -> str:
    if not ask.may("code.approve", revision.project):
        return "It waits for approval by an Information Asset Owner of the project, which you are not."
    if is_author(revision, ask.person.name):
        return "You cannot approve it, because you are one of its authors."
    if ask.person.name in progress.standing:
        return "You have approved it. It needs one more approver."
    return "It cannot be approved as it is."


def _others(ask: Ask, revision: CodeRevision, progress: ApprovalProgress) -> str:
    owners = ask.cases.spec.project(revision.project).members.information_asset_owner
    others = [name for name in owners if not is_author(revision, name) and name not in progress.standing]
    others = [name for name in others if name != ask.person.name]
    if not others:
        return "The node's settings name nobody else who can."
    return f"It waits for {' or '.join(others)}."
