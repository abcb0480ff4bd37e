"""Approvers' keys: one that signs now, earlier ones that still verify, revoked ones that never count again.

REPLACED and REVOKED are apart on purpose. A key is replaced because time has passed: what it signed until
then holds. It is revoked because somebody else may have used it: then nobody can say which of its signatures
are its owner's, and none of them counts, whenever it claims to have been made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from phems.domain.state_tables import StateTable, Transition

HeldBy = Literal["node", "person"]


class ApproverKeyState(StrEnum):
    """Where an approver's key stands."""

    CURRENT = "CURRENT"
    REPLACED = "REPLACED"
    REVOKED = "REVOKED"


class ApproverKeyAction(StrEnum):
    """What can be done to an approver's key."""

    REGISTER = "register"
    REPLACE = "replace"
    REVOKE = "revoke"


_S, _A = ApproverKeyState, ApproverKeyAction

APPROVER_KEYS = StateTable(
    "approver key",
    (
        Transition(None, _A.REGISTER, _S.CURRENT, "Operator", "or the node, at a person's first approval"),
        Transition(_S.CURRENT, _A.REPLACE, _S.REPLACED, "Operator", "a newer one was registered"),
        Transition(_S.CURRENT, _A.REVOKE, _S.REVOKED, "Operator"),
        Transition(_S.REPLACED, _A.REVOKE, _S.REVOKED, "Operator"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class ApproverKey:
    """The public half of an approver's key, and what became of it.

    `public_key` is raw Ed25519 in base64, `key_id` the first 16 hex digits of its SHA-256. `held_by` says who
    has the private half: the node, which signs for a person it has signed in, or the person alone.
    """

    person: str
    key_id: str
    public_key: str
    held_by: HeldBy
    registered_at: datetime
    registered_by: str
    state: ApproverKeyState = ApproverKeyState.CURRENT
    ended_at: datetime | None = None
    ended_by: str | None = None
    reason: str = ""


def ended(
    key: ApproverKey, action: ApproverKeyAction, *, by: str, at: datetime, reason: str = ""
) -> ApproverKey:
    """The key after `replace` or `revoke`."""
    name = f"{key.key_id} of {key.person}"
    remedy = f"See the keys of {key.person}: phems user key {key.person}"
    state = APPROVER_KEYS.after(key.state, action, name=name, remedy=remedy)
    return replace(key, state=state, ended_at=at, ended_by=by, reason=reason)


def why_not_counting(key: ApproverKey | None, person: str, at: datetime) -> str | None:
    """Why a signature of this key, said to be of `person` at `at`, does not count; None when it may."""
    if key is None:
        return "its key is not registered"
    if key.person != person:
        return f"its key {key.key_id} is not {person}'s"
    if key.state is ApproverKeyState.REVOKED:
        return f"its key {key.key_id} was revoked"
    if at < key.registered_at:
        return f"it is older than its key {key.key_id}"
    if key.ended_at is not None and at >= key.ended_at:
        return f"its key {key.key_id} had been replaced by then"
    return None
