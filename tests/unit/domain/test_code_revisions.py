"""Who may approve code, and what follows what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.approvals import Approval, ApprovalRules
from phems.domain.code_revisions import (
    CODE_REVISIONS,
    CodeRevision,
    CodeRevisionAction,
    CodeRevisionState,
    approved_by,
    author_names,
    check_may_approve,
    decided,
    may_approve,
    statement_of,
    stood_on,
    submitted_again,
)
from phems.errors import RefusedError

NOW = datetime(2026, 11, 1, tzinfo=UTC)
S, A = CodeRevisionState, CodeRevisionAction

REVISION = CodeRevision(
    project="heart-attack",
    commit="c" * 40,
    digest="d" * 64,
    environment_digest=None,
    branch="main",
    subject="Begin",
    authors=author_names("ana", "Ana Lyst", "Ana.Lyst@Hospital.example"),
    submitter="ana",
    submitted_at=NOW,
)


ONE, TWO = ApprovalRules(needed=1), ApprovalRules(needed=2)


def approval(who: str, turn: int = 1) -> Approval:
    return Approval(who, NOW, turn)


@pytest.mark.parametrize("name", ["ana", "ana lyst", "ana.lyst", "ana.lyst@hospital.example", "Ana"])
def test_the_author_cannot_approve_under_any_of_their_names(name: str) -> None:
    """Attack 18: self-approval."""
    with pytest.raises(RefusedError, match="its author cannot"):
        check_may_approve(REVISION, name, rules=ONE, standing=())
    assert not may_approve(REVISION, name, rules=ONE, standing=())
    assert may_approve(REVISION, "ida", rules=ONE, standing=())


def test_a_commit_without_author_still_has_its_submitter() -> None:
    """Otherwise a commit made with empty names has no author at all."""
    assert author_names("Ana", "", " ") == {"ana"}


def test_the_same_approver_counts_once() -> None:
    """Attack 18: the same approver twice."""
    once = approved_by(REVISION, approval("ida"), rules=TWO, standing=())
    assert once.state is S.UNDER_REVIEW
    assert once.decided_by is None
    with pytest.raises(RefusedError, match="counts once"):
        approved_by(once, approval("ida"), rules=TWO, standing=["ida"])
    twice = approved_by(once, approval("ivo"), rules=TWO, standing=["ida"])
    assert (twice.state, twice.decided_by, twice.decided_at) == (S.APPROVED, "ivo", NOW)


def test_an_approver_who_may_no_longer_approve_does_not_count() -> None:
    """Attack 18: a revoked approver."""
    once = approved_by(REVISION, approval("ida"), rules=TWO, standing=())
    assert approved_by(once, approval("ivo"), rules=TWO, standing=()).state is S.UNDER_REVIEW


def test_who_has_not_approved_does_not_stand() -> None:
    """Otherwise a wrong list of people who stand approves for them."""
    assert approved_by(REVISION, approval("ida"), rules=TWO, standing=["ivo"]).state is S.UNDER_REVIEW


def test_an_approved_revision_that_lost_approvals_can_be_confirmed_by_others() -> None:
    """Otherwise a revoked key takes approved code away from its project for good."""
    once = approved_by(REVISION, approval("ida"), rules=ONE, standing=())
    with pytest.raises(RefusedError, match="possible in: SUBMITTED, UNDER_REVIEW"):
        check_may_approve(once, "ivo", rules=ONE, standing=["ida"])
    confirmed = approved_by(once, approval("ivo"), rules=ONE, standing=())
    assert (confirmed.state, confirmed.decided_by) == (S.APPROVED, "ida")
    assert confirmed.approvers() == {"ida", "ivo"}
    assert may_approve(once, "ida", rules=ONE, standing=()), "with another key"


def test_a_policy_cannot_do_without_approvers() -> None:
    """Otherwise `approvals: 0` takes code for approved that nobody looked at."""
    assert not ApprovalRules(needed=0).suffice(())


@pytest.mark.parametrize("state", [S.APPROVED, S.REJECTED, S.REPLACED, S.REVOKED])
def test_what_is_decided_takes_no_approval(state: CodeRevisionState) -> None:
    """Otherwise a rejected or revoked revision is approved after all."""
    with pytest.raises(RefusedError, match="possible in: SUBMITTED, UNDER_REVIEW"):
        check_may_approve(replace(REVISION, state=state), "ida", rules=ONE, standing=["ivo"])


def test_a_new_turn_forgets_approvals_but_not_authors() -> None:
    """Otherwise who wrote the code approves it once someone else has submitted it again."""
    reviewed = approved_by(REVISION, approval("ida"), rules=TWO, standing=())
    rejected = decided(reviewed, A.REJECT, by="ivo", at=NOW, reason="No")
    again = submitted_again(rejected, submitter="ben", authors=author_names("ben", "", ""), at=NOW)
    assert (again.turn, again.state, again.approvers()) == (2, S.SUBMITTED, frozenset())
    assert (again.decided_by, again.reason) == (None, "")
    assert {"ana", "ben"} <= again.authors
    assert not may_approve(again, "ana", rules=TWO, standing=())
    assert may_approve(again, "ida", rules=TWO, standing=())


def test_what_is_signed_names_the_content_the_commit_and_the_turn() -> None:
    """Attack 17: otherwise an approval of an earlier turn, or of another commit, is used again."""
    statement = statement_of(REVISION, Approval("ida", NOW, 2, policy_version="3:abc"))
    assert (statement.what, statement.decision, statement.by) == ("code.approve", "APPROVED", "ida")
    assert (statement.digest, statement.subject) == ("d" * 64, f"heart-attack@{'c' * 40}#2")
    assert (statement.at, statement.policy_version) == (NOW, "3:abc")


def test_revoked_is_the_end() -> None:
    """Otherwise revoked code runs again."""
    assert CODE_REVISIONS.terminal() == (S.REVOKED,)
    revoked = decided(replace(REVISION, state=S.APPROVED), A.REVOKE, by="ida", at=NOW, reason="leak")
    assert (revoked.state, revoked.decided_by, revoked.reason) == (S.REVOKED, "ida", "leak")
    assert not revoked.stop_runs
    with pytest.raises(RefusedError):
        submitted_again(revoked, submitter="ana", authors=frozenset(), at=NOW)


@given(
    st.lists(st.tuples(st.sampled_from(["ana", "ida", "ivo", "iris"]), st.booleans()), max_size=8),
    st.integers(1, 3),
)
def test_approved_needs_as_many_different_people_as_the_policy_says(
    attempts: list[tuple[str, bool]], needed: int
) -> None:
    """Otherwise some order of approvals gets around the policy."""
    revision, rules = REVISION, ApprovalRules(needed=needed)
    standing: set[str] = set()
    for who, stays in attempts:
        if may_approve(revision, who, rules=rules, standing=standing):
            before = revision
            revision = approved_by(revision, approval(who), rules=rules, standing=standing)
            standing.add(who)
            newly = before.state is not S.APPROVED and revision.state is S.APPROVED
            assert newly == (before.state is not S.APPROVED and len(standing) >= needed)
        if not stays:
            standing.discard(who)
    assert "ana" not in revision.approvers()
    if revision.state is S.APPROVED:
        assert len(revision.approvers()) >= needed


def test_what_may_run_or_be_gone_back_to_is_stood_on() -> None:
    """Its files and packages must not be cleaned away."""
    states = (S.REVOKED, S.REPLACED, S.REPLACED, S.APPROVED, S.SUBMITTED)
    revisions = [
        replace(
            REVISION,
            commit=f"{number}" * 40,
            state=state,
            decided_at=None if state is S.SUBMITTED else NOW + timedelta(days=number),
        )
        for number, state in enumerate(states)
    ]
    assert [each.commit[0] for each in stood_on(revisions, ())] == ["2", "3"]
    assert [each.commit[0] for each in stood_on(revisions, {"0" * 12})] == ["0", "2", "3"]
    undated = replace(revisions[1], decided_at=None)
    assert stood_on([undated], ()) == [undated]
    assert stood_on([], ()) == []
