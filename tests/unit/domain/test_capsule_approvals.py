"""Approvals of run capsules: for so many runs, until a day, never one's own; a state machine drives them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from phems.domain.approvals import Signature
from phems.domain.capsule_approvals import (
    CAPSULE_APPROVALS,
    MOST_TIMES,
    CapsuleAction,
    CapsuleApproval,
    CapsuleState,
    approved,
    decided,
    requested,
    statement_of,
    why_not_usable,
)
from phems.errors import InputError, PhemsError, RefusedError

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ASKED = requested("heart", "c" * 64, by="ana", at=NOW, policy_version="1:abc")


def approve(times: int = 1, until: datetime | None = None, by: str = "ida") -> CapsuleApproval:
    return approved(ASKED, by=by, at=NOW, times=times, expires_at=until)


def test_nobody_approves_what_they_asked_for() -> None:
    """Otherwise one person runs what they like."""
    with pytest.raises(RefusedError, match="cannot approve"):
        approve(by="ana")


@pytest.mark.parametrize("times", [0, -1, MOST_TIMES + 1])
def test_an_approval_is_for_a_number_of_runs(times: int) -> None:
    """Otherwise "for ever" is a slip of the keyboard."""
    with pytest.raises(InputError):
        approve(times=times)


def test_an_approval_that_has_expired_already_is_refused() -> None:
    """Otherwise a person thinks they approved something."""
    with pytest.raises(InputError, match="would have expired"):
        approve(until=NOW)


@pytest.mark.parametrize(
    ("approval", "requester", "why"),
    [
        (None, "ana", "nobody has approved"),
        (ASKED, "ana", "nobody has approved"),
        (approve(), "ana", None),
        (approve(until=NOW + timedelta(days=1)), "ana", None),
        (replace(approve(), expires_at=NOW), "ana", "expired"),
        (replace(approve(), used=1), "ana", "used up"),
        (approve(), "ida", "cannot run what they approve"),
        (decided(ASKED, CapsuleAction.REJECT, by="ida", at=NOW, reason="No."), "ana", "rejected by ida: No."),
        (decided(approve(), CapsuleAction.REVOKE, by="ida", at=NOW, reason=""), "ana", "revoked by ida"),
    ],
)
def test_what_an_approval_lets_run(approval: CapsuleApproval | None, requester: str, why: str | None) -> None:
    """Otherwise something runs that nobody approved, or not any more."""
    found = why_not_usable(approval, requester, NOW)
    assert (found is None) if why is None else (why in (found or ""))


def test_more_runs_are_added_to_those_that_were_used_and_signed_anew() -> None:
    """Otherwise the second approval is used up by the runs of the first, or carries its signature."""
    spent = replace(approve(), used=1, signature=Signature("0" * 16, "sig"))
    again = approved(spent, by="ivo", at=NOW, times=2, expires_at=None)
    assert (again.times, again.used, again.signature) == (3, 1, None)


@pytest.mark.parametrize(
    "changed",
    [
        {"times": 2},
        {"expires_at": NOW + timedelta(days=1)},
        {"capsule": "d" * 64},
        {"project": "breast"},
        {"decided_by": "ivo"},
        {"decided_at": NOW + timedelta(seconds=1)},
        {"policy_version": "2:def"},
    ],
)
def test_a_signature_covers_all_that_the_approval_grants(changed: dict[str, object]) -> None:
    """Otherwise who has the database stretches an approval without breaking its signature."""
    before = approve()
    assert statement_of(replace(before, **changed)) != statement_of(before)  # type: ignore[arg-type]
    assert statement_of(ASKED).by == ""


class CapsulesOfAProject(RuleBasedStateMachine):
    """Whatever people do: no more runs than were approved, none after a revocation, none of one's own."""

    @initialize()
    def ask(self) -> None:
        self.approval = ASKED
        self.granted = 0
        self.ran = 0

    @rule(by=st.sampled_from(["ana", "ida", "ivo"]), times=st.integers(0, 3))
    def approve(self, by: str, times: int) -> None:
        try:
            self.approval = approved(self.approval, by=by, at=NOW, times=times, expires_at=None)
        except PhemsError:
            return
        assert by != "ana"
        self.granted = self.ran + times

    @rule(action=st.sampled_from([CapsuleAction.REJECT, CapsuleAction.REVOKE]))
    def decide(self, action: CapsuleAction) -> None:
        if CAPSULE_APPROVALS.allows(self.approval.state, action):
            self.approval = decided(self.approval, action, by="ida", at=NOW, reason="No.")
            self.granted = 0

    @precondition(lambda self: why_not_usable(self.approval, "ana", NOW) is None)
    @rule()
    def run(self) -> None:
        self.ran += 1
        self.approval = replace(self.approval, used=self.approval.used + 1)
        assert self.ran <= self.granted

    @invariant()
    def nothing_runs_unless_it_is_approved(self) -> None:
        if self.approval.state is not CapsuleState.APPROVED:
            assert why_not_usable(self.approval, "ana", NOW)


TestCapsulesOfAProject = CapsulesOfAProject.TestCase
