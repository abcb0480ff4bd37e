"""Code revisions: their states, and who may approve one.

What the state allows is a table (`CODE_REVISIONS`). Who may act is `permissions`. Between the two
stands the rule of this module: an author never approves, and one approver counts once. An approval stands as
long as its signature verifies; an approved revision that has lost approvals can be confirmed with others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from phems.domain.approvals import Approval, ApprovalRules, Statement
from phems.domain.state_tables import StateTable, Transition
from phems.errors import RefusedError

_PERSON = "Information Asset Owner"


class CodeRevisionState(StrEnum):
    """Where a code revision stands."""

    SUBMITTED = "SUBMITTED"
    UNDER_REVIEW = "UNDER_REVIEW"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    REPLACED = "REPLACED"
    REVOKED = "REVOKED"


class CodeRevisionAction(StrEnum):
    """What can be done to a code revision."""

    SUBMIT = "submit"
    REVIEW = "review"
    APPROVE = "approve"
    CONFIRM = "confirm"
    REJECT = "reject"
    REPLACE = "replace"
    RESTORE = "restore"
    REVOKE = "revoke"


_S, _A = CodeRevisionState, CodeRevisionAction

CODE_REVISIONS = StateTable(
    "code revision",
    (
        Transition(None, _A.SUBMIT, _S.SUBMITTED, "Data Analyst"),
        Transition(_S.SUBMITTED, _A.REVIEW, _S.UNDER_REVIEW, _PERSON, "an approval, but more are needed"),
        Transition(_S.UNDER_REVIEW, _A.REVIEW, _S.UNDER_REVIEW, _PERSON, "an approval, but more are needed"),
        Transition(_S.SUBMITTED, _A.APPROVE, _S.APPROVED, _PERSON, "the last approval needed"),
        Transition(_S.UNDER_REVIEW, _A.APPROVE, _S.APPROVED, _PERSON, "the last approval needed"),
        Transition(
            _S.APPROVED,
            _A.CONFIRM,
            _S.APPROVED,
            _PERSON,
            "an approval, when too few stand (a key was revoked)",
        ),
        Transition(_S.SUBMITTED, _A.REJECT, _S.REJECTED, _PERSON),
        Transition(_S.UNDER_REVIEW, _A.REJECT, _S.REJECTED, _PERSON),
        Transition(_S.APPROVED, _A.REPLACE, _S.REPLACED, "system", "a newer one was approved"),
        Transition(
            _S.REPLACED, _A.RESTORE, _S.APPROVED, _PERSON, "to go back to it while its approvals count"
        ),
        Transition(_S.APPROVED, _A.REVOKE, _S.REVOKED, _PERSON),
        Transition(_S.REPLACED, _A.REVOKE, _S.REVOKED, _PERSON),
        Transition(_S.REJECTED, _A.SUBMIT, _S.SUBMITTED, "Data Analyst", "a new turn of approvals"),
        Transition(_S.REPLACED, _A.SUBMIT, _S.SUBMITTED, "Data Analyst", "to have it approved anew"),
    ),
)


@dataclass(frozen=True)
class CodeRevision:
    """A commit of a project's Code Repo, with its digests and what was decided on it.

    `authors` are every name by which its author may be known here (the submitter, the commit's
    author name, e-mail address and its local part), lower case. `turn` counts submissions from 1.
    `stop_runs`: it was revoked so that running runs end too.
    """

    project: str
    commit: str
    digest: str
    environment_digest: str | None
    branch: str
    subject: str
    authors: frozenset[str]
    submitter: str
    submitted_at: datetime
    turn: int = 1
    state: CodeRevisionState = CodeRevisionState.SUBMITTED
    approvals: tuple[Approval, ...] = ()
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""
    stop_runs: bool = False

    @property
    def name(self) -> str:
        """How people call it: the project and the first 12 characters of the commit."""
        return f"{self.project}@{self.commit[:12]}"

    def present_approvals(self) -> tuple[Approval, ...]:
        """The approvals of the present turn."""
        return tuple(approval for approval in self.approvals if approval.turn == self.turn)

    def approvers(self) -> frozenset[str]:
        """Who has approved it in the present turn."""
        return frozenset(approval.approver for approval in self.present_approvals())


def author_names(submitter: str, commit_author: str, commit_email: str) -> frozenset[str]:
    """Every name by which the author of a commit may be known to the node.

    Git does not prove who wrote a commit, so this can only exclude more people than the submitter,
    never fewer.
    """
    candidates = {submitter, commit_author, commit_email, commit_email.partition("@")[0]}
    return frozenset(name.strip().lower() for name in candidates if name.strip())


def is_author(revision: CodeRevision, name: str) -> bool:
    """Whether `name` is one of the revision's authors."""
    return name.lower() in revision.authors


def _remedy(revision: CodeRevision) -> str:
    return f"See it with: phems code show --project {revision.project} {revision.commit[:12]}"


def statement_of(revision: CodeRevision, approval: Approval) -> Statement:
    """What the approver of `approval` signs: it holds for this content, commit and turn alone."""
    return Statement(
        what="code.approve",
        subject=f"{revision.project}@{revision.commit}#{approval.turn}",
        digest=revision.digest,
        decision=CodeRevisionState.APPROVED.value,
        by=approval.approver,
        at=approval.at,
        policy_version=approval.policy_version,
    )


def check_may_approve(
    revision: CodeRevision, approver: str, *, rules: ApprovalRules, standing: Collection[str]
) -> None:
    """Raise `RefusedError` unless `approver`'s approval would count now.

    `standing` are the approvers of the present turn whose approvals count today.
    """
    action = _approving(revision, rules, standing)
    CODE_REVISIONS.after(revision.state, action, name=revision.name, remedy=_remedy(revision))
    another = (
        "Ask another Information Asset Owner: "
        f"phems code approve --project {revision.project} {revision.commit[:12]}"
    )
    if is_author(revision, approver):
        raise RefusedError(
            f"{approver} cannot approve the code revision {revision.name}.",
            why="its author cannot approve it.",
            remedy=another,
        )
    if approver in standing:
        raise RefusedError(
            f"{approver} has already approved the code revision {revision.name}.",
            why="the same approver counts once.",
            remedy=another,
        )


def may_approve(
    revision: CodeRevision, approver: str, *, rules: ApprovalRules, standing: Collection[str]
) -> bool:
    """Whether `approver`'s approval would count now."""
    try:
        check_may_approve(revision, approver, rules=rules, standing=standing)
    except RefusedError:
        return False
    return True


def _approving(revision: CodeRevision, rules: ApprovalRules, standing: Collection[str]) -> CodeRevisionAction:
    lacks = revision.state is CodeRevisionState.APPROVED and not rules.suffice(standing)
    return CodeRevisionAction.CONFIRM if lacks else CodeRevisionAction.APPROVE


def submitted_again(
    revision: CodeRevision, *, submitter: str, authors: frozenset[str], at: datetime
) -> CodeRevision:
    """The revision in a new turn: earlier approvals no longer count, earlier authors still do."""
    state = CODE_REVISIONS.after(
        revision.state, CodeRevisionAction.SUBMIT, name=revision.name, remedy=_remedy(revision)
    )
    return replace(
        revision,
        state=state,
        turn=revision.turn + 1,
        submitter=submitter,
        authors=revision.authors | authors,
        submitted_at=at,
        decided_by=None,
        decided_at=None,
        reason="",
    )


def approved_by(
    revision: CodeRevision, approval: Approval, *, rules: ApprovalRules, standing: Collection[str]
) -> CodeRevision:
    """The revision after one more approval: APPROVED once those that stand, and this one, suffice.

    `standing` are the approvers of the present turn whose approvals count today: one whose key was revoked,
    or who has lost the role before the last approval, is not among them.
    """
    check_may_approve(revision, approval.approver, rules=rules, standing=standing)
    counted = (revision.approvers() & frozenset(standing)) | {approval.approver}
    action = _approving(revision, rules, standing)
    if action is CodeRevisionAction.APPROVE and not rules.suffice(counted):
        action = CodeRevisionAction.REVIEW
    state = CODE_REVISIONS.after(revision.state, action, name=revision.name, remedy=_remedy(revision))
    approvals = (*revision.approvals, approval)
    if action is not CodeRevisionAction.APPROVE:
        return replace(revision, state=state, approvals=approvals)
    return replace(
        revision, state=state, approvals=approvals, decided_by=approval.approver, decided_at=approval.at
    )


def decided(
    revision: CodeRevision,
    action: CodeRevisionAction,
    *,
    by: str,
    at: datetime,
    reason: str = "",
    stop_runs: bool = False,
) -> CodeRevision:
    """The revision after `reject`, `replace`, `restore` or `revoke`; `stop_runs` ends its running runs."""
    state = CODE_REVISIONS.after(revision.state, action, name=revision.name, remedy=_remedy(revision))
    return replace(revision, state=state, decided_by=by, decided_at=at, reason=reason, stop_runs=stop_runs)


def stood_on(revisions: Sequence[CodeRevision], used: Collection[str]) -> list[CodeRevision]:
    """What is approved, what runs on their way stand on, and the one replaced last: to go back to.

    `used` are the first 12 characters of the commits that runs on their way stand on.
    """
    replaced = [each for each in revisions if each.state is CodeRevisionState.REPLACED]
    last = max(replaced, key=lambda each: each.decided_at or each.submitted_at, default=None)
    return [
        each
        for each in revisions
        if each.state is CodeRevisionState.APPROVED or each is last or each.commit[:12] in used
    ]
