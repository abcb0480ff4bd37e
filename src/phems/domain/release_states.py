"""The states of a release request, and the table of what leads from one to another."""

from __future__ import annotations

from enum import StrEnum

from phems.domain.state_tables import StateTable, Transition

_ANALYST, _CHECKER, _OWNER = "Data Analyst", "Output Checker", "Information Asset Owner"


class ReleaseState(StrEnum):
    """Where a release request stands."""

    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    PARTIALLY_REVIEWED = "PARTIALLY_REVIEWED"
    REVIEWED = "REVIEWED"
    RETURNED = "RETURNED"
    APPROVED = "APPROVED"
    RELEASED = "RELEASED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    REVOKED = "REVOKED"


class ReleaseAction(StrEnum):
    """What can be done to a release request."""

    REQUEST = "request"
    SUBMIT = "submit"
    WITHDRAW_FILE = "withdraw a file"
    BEGIN_REVIEW = "begin review"
    COMPLETE_REVIEW = "complete review"
    REOPEN_REVIEW = "reopen review"
    APPROVE = "approve"
    REJECT = "reject"
    RETURN = "return"
    WITHDRAW = "withdraw"
    RELEASE = "release"
    REVOKE = "revoke"


_S, _A = ReleaseState, ReleaseAction

UNDER_REVIEW = (_S.SUBMITTED, _S.PARTIALLY_REVIEWED, _S.REVIEWED)
_WITH_FILES = (_S.PENDING, *UNDER_REVIEW)
_BEFORE_RELEASE = (_S.PENDING, *UNDER_REVIEW, _S.RETURNED, _S.APPROVED)

RELEASE_REQUESTS = StateTable(
    "release request",
    (
        Transition(None, _A.REQUEST, _S.PENDING, _ANALYST, "its files are frozen"),
        Transition(_S.PENDING, _A.SUBMIT, _S.SUBMITTED, _ANALYST, "its files are checked"),
        Transition(_S.SUBMITTED, _A.BEGIN_REVIEW, _S.PARTIALLY_REVIEWED, "system", "a first vote"),
        Transition(_S.SUBMITTED, _A.COMPLETE_REVIEW, _S.REVIEWED, "system", "every file is decided"),
        Transition(_S.PARTIALLY_REVIEWED, _A.COMPLETE_REVIEW, _S.REVIEWED, "system", "every file is decided"),
        Transition(_S.REVIEWED, _A.REOPEN_REVIEW, _S.PARTIALLY_REVIEWED, "system", "a vote was changed"),
        Transition(_S.REVIEWED, _A.APPROVE, _S.APPROVED, "system", "or an Output Checker, for some files"),
        Transition(_S.REVIEWED, _A.REJECT, _S.REJECTED, _CHECKER),
        *(Transition(state, _A.RETURN, _S.RETURNED, _CHECKER) for state in UNDER_REVIEW),
        Transition(_S.RETURNED, _A.REQUEST, _S.PENDING, _ANALYST, "a new turn; votes start afresh"),
        *(Transition(state, _A.WITHDRAW_FILE, state, _ANALYST, "not the last") for state in _WITH_FILES),
        *(Transition(state, _A.WITHDRAW, _S.WITHDRAWN, _ANALYST) for state in _BEFORE_RELEASE),
        Transition(_S.APPROVED, _A.RELEASE, _S.RELEASED, "publisher"),
        Transition(_S.APPROVED, _A.REVOKE, _S.REVOKED, _OWNER),
        Transition(_S.RELEASED, _A.REVOKE, _S.REVOKED, _OWNER),
    ),
)

# Actions that decide something: who took them, when and why is kept with the request.
DECIDING = frozenset({_A.APPROVE, _A.REJECT, _A.RETURN, _A.WITHDRAW, _A.REVOKE})
