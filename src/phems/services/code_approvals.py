"""The approvals of a code revision: made with their signatures, and counted again whenever they matter.

What the database says of a revision is not believed: its approvals are verified each time its code is to be
loaded or a run of it admitted, by the policy of today. So an approval forged, or copied, or signed with a key
that was revoked since, lets nothing run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phems.domain.actors import Actor
from phems.domain.approvals import Approval, Statement
from phems.domain.canonical import parse
from phems.domain.code_revisions import CodeRevision, is_author, statement_of
from phems.errors import RefusedError
from phems.services.approval_signatures import ApprovalSignatures
from phems.services.ports import Transaction
from phems.services.ports.clock import Clock
from phems.services.project_access import ProjectAccess, ProjectRules

SIGN_WITHIN = timedelta(days=7)


@dataclass(frozen=True)
class SignedStatement:
    """A statement as its approver signed it elsewhere: its bytes, and the signature in base64."""

    statement: bytes
    signature: str


@dataclass(frozen=True)
class CountedApproval:
    """An approval of the present turn and why it does not count; `problem` is None when it does."""

    approval: Approval
    problem: str | None


@dataclass(frozen=True)
class ApprovalProgress:
    """How far a revision's approvals are, in words; whose count today; whether the asker may add theirs."""

    words: str
    standing: frozenset[str]
    may_approve: bool


class CodeApprovals:
    """Makes and counts approvals of code revisions."""

    def __init__(self, signatures: ApprovalSignatures, access: ProjectAccess, clock: Clock) -> None:
        self._signatures = signatures
        self._access = access
        self._clock = clock

    def counted(self, work: Transaction, revision: CodeRevision) -> Sequence[CountedApproval]:
        """Each approval of the present turn, verified now.

        1. It is not an author's.
        2. It is signed, unless the policy does without.
        3. The signature is the approver's, over this content, commit and turn.
        """
        rules = self._access.rules(revision.project)
        return [
            CountedApproval(approval, self._problem(work, revision, rules, approval))
            for approval in revision.present_approvals()
        ]

    def approvers(self, work: Transaction, revision: CodeRevision) -> frozenset[str]:
        """Whose approvals count today."""
        return frozenset(
            found.approval.approver for found in self.counted(work, revision) if found.problem is None
        )

    def check(self, work: Transaction, revision: CodeRevision) -> None:
        """Raise `RefusedError` unless enough approvals of the revision count today: before its code runs."""
        counted = self.counted(work, revision)
        approvers = {found.approval.approver for found in counted if found.problem is None}
        rules = self._access.rules(revision.project).approval
        if rules.suffice(approvers):
            return
        problems = [
            f"that of {found.approval.approver} does not count: {found.problem}"
            for found in counted
            if found.problem is not None
        ]
        raise RefusedError(
            f"The code revision {revision.name} does not have the approvals it needs.",
            why="; ".join([f"it has {rules.progress(approvers)}", *problems]) + ".",
            remedy="An Information Asset Owner can approve it again: "
            f"phems code approve --project {revision.project} {revision.commit[:12]}",
        )

    def statement(self, work: Transaction, revision: CodeRevision, approver: str) -> bytes:
        """What `approver` has to sign to approve the revision, from this moment for some days."""
        self._signatures.current_key(work, approver)
        return self._signatures.signed_bytes(self._statement(work, revision, approver, self._clock.now()))

    def make(
        self,
        work: Transaction,
        actor: Actor,
        revision: CodeRevision,
        rules: ProjectRules,
        *,
        note: str = "",
        given: SignedStatement | None = None,
    ) -> Approval:
        """The actor's approval, signed here or as `given`."""
        must_sign = given is not None or not rules.unsigned_approvals_count
        if must_sign:
            self._signatures.current_key(work, actor.name)
        at = self._clock.now() if given is None else self._given_at(work, actor, revision, given)
        version = work.policies.current(revision.project).label
        unsigned = Approval(actor.name, at, revision.turn, note, version)
        statement = statement_of(revision, unsigned)
        handed_in = given.signature if given else None
        signature = (
            self._signatures.sign(work, actor, statement, given=handed_in)
            if must_sign
            else self._signatures.sign_if_held(work, actor, statement)
        )
        return Approval(actor.name, at, revision.turn, note, version, signature)

    def _problem(
        self, work: Transaction, revision: CodeRevision, rules: ProjectRules, approval: Approval
    ) -> str | None:
        if is_author(revision, approval.approver):  # 1
            return "its author cannot approve it"
        if approval.signature is None:  # 2
            return None if rules.unsigned_approvals_count else "it is not signed"
        return self._signatures.problem(work, statement_of(revision, approval), approval.signature)  # 3

    def _statement(self, work: Transaction, revision: CodeRevision, approver: str, at: datetime) -> Statement:
        version = work.policies.current(revision.project).label
        return statement_of(revision, Approval(approver, at, revision.turn, policy_version=version))

    def _given_at(
        self, work: Transaction, actor: Actor, revision: CodeRevision, given: SignedStatement
    ) -> datetime:
        """The moment of a statement signed elsewhere, once it is known to be the one to sign now."""
        at = _moment(given.statement)
        now = self._clock.now()
        if at is None or not max(revision.submitted_at, now - SIGN_WITHIN) <= at <= now:
            raise _not_the_statement(revision, "it names no moment since the submission and the last 7 days.")
        expected = self._statement(work, revision, actor.name, at)
        if self._signatures.signed_bytes(expected) != given.statement:
            raise _not_the_statement(
                revision, "it is about another revision, turn, person, node or policy version."
            )
        return at


def _moment(statement: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(parse(statement)["at"])
    except (ValueError, KeyError, TypeError):
        return None


def _not_the_statement(revision: CodeRevision, why: str) -> RefusedError:
    return RefusedError(
        f"What was signed does not approve the code revision {revision.name}.",
        why=why,
        remedy="Sign what this prints: "
        f"phems code statement --project {revision.project} {revision.commit[:12]}",
    )
