"""What waits for whom: the rules that turn the state of a thing into a task of one person.

Each rule looks at one thing and one person with their roles where the thing belongs, and gives the task or
None. A checker is told nothing here that a review hides from them: while it is blind, a file waits for their
vote until they have voted, whatever others have done.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from phems.domain.capsule_approvals import CapsuleApproval, CapsuleState, why_not_usable
from phems.domain.code_revisions import CodeRevision, CodeRevisionState, is_author
from phems.domain.permissions import Role, may
from phems.domain.policy_versions import PolicyRecord, PolicyState, check_second_person
from phems.domain.release_states import UNDER_REVIEW, ReleaseState
from phems.domain.releases import ReleaseRequest, shown_state
from phems.domain.votes import DECIDED, Decision, ReviewPhase, Vote
from phems.errors import RefusedError


class TaskKind(StrEnum):
    """What somebody can do for a thing to go on."""

    VOTE = "vote"
    SETTLE = "settle"
    DECIDE = "decide"
    SUBMIT = "submit"
    RESUBMIT = "resubmit"
    APPROVE_CODE = "approve code"
    APPROVE_CAPSULE = "approve capsule"
    LAUNCH = "launch"
    CONFIRM_POLICY = "confirm policy"


@dataclass(frozen=True)
class Task:
    """One thing that waits for one person.

    `subject` names it: a release request, a commit, a capsule, or the number of a policy version; `project`
    is empty for what is the whole node's. `count` is of the files it is about, 1 where there are none.
    """

    kind: TaskKind
    project: str
    subject: str
    since: datetime
    count: int = 1


@dataclass(frozen=True)
class Underway:
    """Something of one's own that waits for others. `state` is as its page tells it."""

    noun: str
    project: str
    subject: str
    state: str
    since: datetime


UNDECIDED_CODE = (CodeRevisionState.SUBMITTED, CodeRevisionState.UNDER_REVIEW)
ON_THEIR_WAY = (*UNDER_REVIEW, ReleaseState.APPROVED)
OWN_TURN = (ReleaseState.PENDING, ReleaseState.RETURNED)


def task_of_request(request: ReleaseRequest, person: str, roles: Collection[Role]) -> Task | None:
    """What a release request wants of its author, or of a checker."""
    since = request.asked_at or request.requested_at
    if person in request.authors:
        if request.state is ReleaseState.RETURNED and may(roles, "release.request"):
            return Task(TaskKind.RESUBMIT, request.project, request.id, request.decided_at or since)
        if request.state is ReleaseState.PENDING and may(roles, "release.request"):
            return Task(TaskKind.SUBMIT, request.project, request.id, since)
        return None
    if request.state not in UNDER_REVIEW or not may(roles, "release.vote"):
        return None
    kind, count = _asked_of_checker(request, person)
    return Task(kind, request.project, request.id, since, count) if count else None


def _asked_of_checker(request: ReleaseRequest, checker: str) -> tuple[TaskKind, int]:
    phase = request.phase()
    if phase is ReviewPhase.COMPLETE:
        return TaskKind.DECIDE, len(request.outputs())
    paths = [file.path for file in request.outputs()]
    unsaid = [path for path in paths if request.votes_on(path).get(checker) in {None, Vote.UNDECIDED}]
    if phase is ReviewPhase.INDEPENDENT:
        return TaskKind.VOTE, len(unsaid)
    wanted = [path for path in unsaid if request.decision_on(path) not in DECIDED]
    if wanted:
        return TaskKind.VOTE, len(wanted)
    return TaskKind.SETTLE, sum(request.decision_on(path) is Decision.CONFLICTED for path in paths)


def task_of_revision(revision: CodeRevision, person: str, roles: Collection[Role]) -> Task | None:
    """An owner who is no author, and has not approved it yet, is asked for an approval."""
    is_asked = (
        revision.state in UNDECIDED_CODE
        and may(roles, "code.approve")
        and not is_author(revision, person)
        and person not in revision.approvers()
    )
    if not is_asked:
        return None
    return Task(TaskKind.APPROVE_CODE, revision.project, revision.commit, revision.submitted_at)


def task_of_capsule(
    approval: CapsuleApproval, person: str, roles: Collection[Role], now: datetime
) -> Task | None:
    """An owner is asked for an approval, unless they asked for it; who asked is told once it is there."""
    if approval.state is CapsuleState.REQUESTED:
        if person == approval.asked_by or not may(roles, "capsule.approve"):
            return None
        return Task(TaskKind.APPROVE_CAPSULE, approval.project, approval.capsule, approval.asked_at)
    is_unused = approval.asked_by == person and not approval.used
    if not is_unused or not may(roles, "run.launch") or why_not_usable(approval, person, now) is not None:
        return None
    since = approval.decided_at or approval.asked_at
    return Task(TaskKind.LAUNCH, approval.project, approval.capsule, since)


def task_of_policy(record: PolicyRecord, person: str, roles: Collection[Role]) -> Task | None:
    """Whoever could be the second person is asked to confirm a version that loosens a rule."""
    if record.state is not PolicyState.PENDING or not may(roles, "policy.approve"):
        return None
    try:
        check_second_person(record, person, roles)
    except RefusedError:
        return None
    number = str(record.version.number)
    return Task(TaskKind.CONFIRM_POLICY, record.scope, number, record.proposed_at)


def request_underway(request: ReleaseRequest, person: str) -> Underway | None:
    """A release request of one's own that is with the checkers, or the publisher."""
    if person not in request.authors or request.state not in ON_THEIR_WAY:
        return None
    since = request.asked_at or request.requested_at
    return Underway("release request", request.project, request.id, shown_state(request, person).value, since)


def revision_underway(revision: CodeRevision, person: str) -> Underway | None:
    """A code revision of one's own that waits for its approval."""
    if revision.submitter != person or revision.state not in UNDECIDED_CODE:
        return None
    return Underway(
        "code revision", revision.project, revision.commit, revision.state.value, revision.submitted_at
    )


def capsule_underway(approval: CapsuleApproval, person: str) -> Underway | None:
    """A run capsule that one has asked for, and nobody has decided on."""
    if approval.asked_by != person or approval.state is not CapsuleState.REQUESTED:
        return None
    return Underway(
        "run capsule", approval.project, approval.capsule, approval.state.value, approval.asked_at
    )
