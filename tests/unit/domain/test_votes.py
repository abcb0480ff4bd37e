"""What votes amount to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.votes import (
    DECIDED,
    Decision,
    ReviewPhase,
    Vote,
    file_decision,
    review_phase,
)

A, C, U = Vote.APPROVED, Vote.CHANGES_REQUESTED, Vote.UNDECIDED


@pytest.mark.parametrize(
    ("votes", "decision"),
    [
        ((), Decision.INCOMPLETE),
        ((A,), Decision.INCOMPLETE),
        ((A, U), Decision.INCOMPLETE),
        ((A, A), Decision.APPROVED),
        ((A, A, U), Decision.APPROVED),
        ((C, C), Decision.CHANGES_REQUESTED),
        ((A, C), Decision.CONFLICTED),
        ((A, C, U), Decision.CONFLICTED),
        ((A, C, A), Decision.APPROVED),
        ((A, C, C), Decision.CHANGES_REQUESTED),
        ((A, A, C, C), Decision.CONFLICTED),
    ],
)
def test_two_checkers_decide_and_a_third_settles_a_conflict(
    votes: tuple[Vote, ...], decision: Decision
) -> None:
    """Otherwise a file leaves on one word, or two who disagree never end."""
    assert file_decision({str(i): vote for i, vote in enumerate(votes)}, 2) is decision


@given(st.lists(st.sampled_from(Vote), max_size=8), st.integers(1, 4))
def test_no_file_is_approved_by_fewer_than_the_policy_needs(votes: list[Vote], needed: int) -> None:
    """Otherwise the policy's number of votes is a suggestion."""
    decision = file_decision({str(i): vote for i, vote in enumerate(votes)}, needed)
    if decision is Decision.APPROVED:
        assert votes.count(A) >= needed
        assert votes.count(C) < needed


@pytest.mark.parametrize(
    ("files", "phase"),
    [
        ([], ReviewPhase.INDEPENDENT),
        ([{"x": A}], ReviewPhase.INDEPENDENT),
        ([{"x": A, "y": C}, {"x": A}], ReviewPhase.INDEPENDENT),
        ([{"x": A, "y": C}, {"x": A, "y": A}], ReviewPhase.CONSOLIDATING),
        ([{"x": A, "y": C}, {"x": A, "z": A}], ReviewPhase.CONSOLIDATING),
        ([{"x": A, "y": A}, {"x": C, "y": C}], ReviewPhase.COMPLETE),
        ([{"x": A, "y": A}, {"x": A, "z": A}], ReviewPhase.COMPLETE),
    ],
)
def test_the_phase_follows_from_the_votes(files: list[dict[str, Vote]], phase: ReviewPhase) -> None:
    """Otherwise checkers see each other's votes too early, or a finished review never ends."""
    assert review_phase(files, [set(votes) for votes in files], 2) is phase


def test_votes_that_were_taken_back_do_not_make_blind_again() -> None:
    """Otherwise a checker looks at the others' votes and then votes as if they had not."""
    assert review_phase([{"x": A, "y": U}], [{"x", "y"}], 2) is ReviewPhase.CONSOLIDATING


def test_decided_files_are_approved_or_need_changes() -> None:
    """Otherwise a conflict counts as a decision."""
    assert {Decision.APPROVED, Decision.CHANGES_REQUESTED} == DECIDED
