"""Approvals of run capsules, for projects whose policy says `approve: capsule`.

A capsule is asked for by the run that was refused for want of its approval. An approval is for a number of
runs, and until a day if one is given; whether it is used up or has expired is computed, not stored. A retry
that Dagster makes is a run of its own, and uses one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from phems.domain.approvals import Signature, Statement
from phems.domain.audit import timestamp
from phems.domain.capsules import shown
from phems.domain.state_tables import StateTable, Transition
from phems.errors import InputError, RefusedError

MOST_TIMES = 100_000


class CapsuleState(StrEnum):
    """Where the approval of a run capsule stands."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    REVOKED = "REVOKED"


class CapsuleAction(StrEnum):
    """What can be done to the approval of a run capsule."""

    REQUEST = "request"
    APPROVE = "approve"
    REJECT = "reject"
    REVOKE = "revoke"


_S, _A = CapsuleState, CapsuleAction
_OWNER = "Information Asset Owner"

CAPSULE_APPROVALS = StateTable(
    "run capsule",
    (
        Transition(None, _A.REQUEST, _S.REQUESTED, "node", "a run was refused for want of an approval"),
        Transition(_S.REQUESTED, _A.APPROVE, _S.APPROVED, _OWNER),
        Transition(_S.REQUESTED, _A.REJECT, _S.REJECTED, _OWNER),
        Transition(_S.APPROVED, _A.APPROVE, _S.APPROVED, _OWNER, "for more runs, or for longer"),
        Transition(_S.APPROVED, _A.REVOKE, _S.REVOKED, _OWNER),
        Transition(_S.REJECTED, _A.APPROVE, _S.APPROVED, _OWNER, "on second thoughts"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class CapsuleApproval:
    """What was decided on a run capsule. `times` is for how many runs in all, `used` how many there were."""

    project: str
    capsule: str
    asked_by: str
    asked_at: datetime
    state: CapsuleState = CapsuleState.REQUESTED
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""
    times: int = 0
    expires_at: datetime | None = None
    policy_version: str = ""
    signature: Signature | None = None
    used: int = 0

    @property
    def name(self) -> str:
        """What people read and type."""
        return shown(self.capsule)


def requested(project: str, capsule: str, *, by: str, at: datetime, policy_version: str) -> CapsuleApproval:
    """A capsule that somebody wants to run."""
    state = CAPSULE_APPROVALS.after(None, CapsuleAction.REQUEST, name=shown(capsule), remedy="")
    return CapsuleApproval(
        project=project,
        capsule=capsule,
        asked_by=by,
        asked_at=at,
        state=state,
        policy_version=policy_version,
    )


def approved(
    before: CapsuleApproval, *, by: str, at: datetime, times: int, expires_at: datetime | None
) -> CapsuleApproval:
    """The approval for `times` more runs, until `expires_at`; who asked for it cannot give it."""
    if by == before.asked_by:
        raise RefusedError(
            f"{by} cannot approve the run capsule {before.name}.",
            why=f"{by} has asked for it.",
            remedy=f"Ask another Information Asset Owner of {before.project}: {_approve(before)}",
        )
    if not 1 <= times <= MOST_TIMES:
        raise InputError(
            f"A run capsule cannot be approved for {times} runs.",
            why=f"it is for 1 to {MOST_TIMES} runs.",
            remedy=f"{_approve(before)} --times 1",
        )
    if expires_at is not None and expires_at <= at:
        raise InputError(
            f"The approval of the run capsule {before.name} would have expired.",
            why=f"{timestamp(expires_at)} is past.",
            remedy=f"{_approve(before)} --days 7",
        )
    moved = _moved(before, CapsuleAction.APPROVE, by=by, at=at)
    return replace(moved, times=before.used + times, expires_at=expires_at, signature=None)


def decided(
    before: CapsuleApproval, action: CapsuleAction, *, by: str, at: datetime, reason: str
) -> CapsuleApproval:
    """The capsule after `reject` or `revoke`."""
    return _moved(before, action, by=by, at=at, reason=reason)


def statement_of(approval: CapsuleApproval) -> Statement:
    """What the approver signs: this capsule, for so many runs, until that day."""
    until = timestamp(approval.expires_at) if approval.expires_at else "no day"
    return Statement(
        what="capsule.approve",
        subject=f"{approval.project}/{approval.capsule}",
        digest=approval.capsule,
        decision=f"{approval.state.value} for {approval.times} runs until {until}",
        by=approval.decided_by or "",
        at=approval.decided_at or approval.asked_at,
        policy_version=approval.policy_version,
    )


def why_not_usable(approval: CapsuleApproval | None, requester: str, now: datetime) -> str | None:
    """Why an approval lets no run of `requester` start now; None when it does."""
    if approval is None or approval.state is CapsuleState.REQUESTED:
        return "nobody has approved it yet"
    if approval.state is not CapsuleState.APPROVED:
        because = f": {approval.reason}" if approval.reason else ""
        return f"it was {approval.state.value.lower()} by {approval.decided_by}{because}"
    if approval.expires_at is not None and now >= approval.expires_at:
        return f"its approval has expired ({timestamp(approval.expires_at)})"
    if approval.used >= approval.times:
        return f"its approval is used up ({approval.used} of {approval.times} runs)"
    if approval.decided_by == requester:
        return f"{requester} has approved it, and cannot run what they approve"
    return None


def _moved(
    before: CapsuleApproval, action: CapsuleAction, *, by: str, at: datetime, reason: str = ""
) -> CapsuleApproval:
    remedy = f"See it with: phems capsule show --project {before.project} {before.name}"
    state = CAPSULE_APPROVALS.after(before.state, action, name=before.name, remedy=remedy)
    return replace(before, state=state, decided_by=by, decided_at=at, reason=reason)


def _approve(approval: CapsuleApproval) -> str:
    return f"phems capsule approve --project {approval.project} {approval.name}"
