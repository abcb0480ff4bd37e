"""The review: who may vote, what votes lead to, when a vote needs a word more, and what then may leave."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.domain.release_requests import (
    NOW,
    ONE,
    TWO,
    A,
    S,
    again,
    frozen,
    on_fail,
    reviewed,
    submitted,
    vote,
    vote_all,
)

from phems.domain.release_states import UNDER_REVIEW, ReleaseState
from phems.domain.releases import FileKind, RunOrigin, acted, authors_of, file_withdrawn
from phems.domain.review import (
    Ballot,
    all_approved,
    annulled,
    approved_in_part,
    check_may_vote,
    decided,
    may_vote,
    moved_by_votes,
    voted,
)
from phems.domain.votes import Decision, ReviewPhase, Vote
from phems.errors import InputError, NotFoundError, RefusedError


@pytest.mark.parametrize("author", ["ana", "ben"])
def test_authors_neither_vote_nor_decide(author: str) -> None:
    """Attack 28: the requester, or who launched the run, lets their own results out."""
    with pytest.raises(RefusedError, match=f"{author} cannot vote"):
        vote_all(submitted(), author, Vote.APPROVED)
    assert not may_vote(submitted(), author)
    assert may_vote(submitted(), "chris")
    with pytest.raises(RefusedError, match=f"{author} cannot approve"):
        approved_in_part(reviewed(), author, at=NOW)
    for action in (A.RETURN, A.REJECT):
        with pytest.raises(RefusedError, match=f"{author} cannot {action.value}"):
            decided(reviewed(), action, author, at=NOW, reason="x")


def test_who_launched_a_run_of_a_later_turn_votes_no_more() -> None:
    """Attack 28: a checker launches the run of the second turn, and votes on it as in the first."""
    request = vote_all(submitted(), "chris", Vote.APPROVED)
    returned = decided(request, A.RETURN, "cara", at=NOW, reason="round")
    assert authors_of("ana", (RunOrigin("run-2", launched_by="chris"),)) == {"ana", "chris"}
    second = replace(again(returned), authors=frozenset({"ana", "chris"}))
    with pytest.raises(RefusedError, match="chris cannot vote"):
        vote_all(second, "chris", Vote.APPROVED)
    assert vote_all(second, "cara", Vote.APPROVED).state is S.PARTIALLY_REVIEWED


@pytest.mark.parametrize("state", [state for state in S if state not in UNDER_REVIEW])
def test_votes_count_during_the_review_alone(state: ReleaseState) -> None:
    """Otherwise a decided request is voted around."""
    with pytest.raises(RefusedError, match="takes no votes now"):
        check_may_vote(replace(submitted(), state=state), "chris")


def test_outputs_alone_are_voted_on() -> None:
    """Otherwise a typing error looks like a vote, or a supporting file is let out."""
    with pytest.raises(NotFoundError, match="has no file"):
        vote(submitted(), "chris", ("outputs/run-1/three.csv", Vote.APPROVED))
    for kind in (FileKind.SUPPORTING, FileKind.CODE, FileKind.WITHDRAWN):
        request = replace(submitted(), files=(frozen(ONE), frozen(TWO, kind=kind)))
        with pytest.raises(RefusedError, match=f"it is a {kind.value} file"):
            vote(request, "chris", (TWO, Vote.APPROVED))


def test_the_last_vote_approves_the_request() -> None:
    """Otherwise approved results wait for nobody."""
    once = vote_all(submitted(), "chris", Vote.APPROVED)
    assert once.state is S.PARTIALLY_REVIEWED
    twice = vote_all(once, "cara", Vote.APPROVED)
    assert (twice.state, twice.decided_by) == (S.APPROVED, "system")
    single = vote_all(submitted(votes=1), "chris", Vote.APPROVED)
    assert single.state is S.APPROVED


def test_one_checker_who_votes_again_and_again_counts_once() -> None:
    """Attack 28: a single vote, repeated and revised."""
    request = submitted()
    for word in (Vote.APPROVED, Vote.CHANGES_REQUESTED, Vote.UNDECIDED, Vote.APPROVED, Vote.APPROVED):
        request = vote_all(request, "chris", word)
        assert request.state is S.PARTIALLY_REVIEWED
        assert request.phase() is ReviewPhase.INDEPENDENT
    assert len(request.votes) == 2
    assert len(request.replaced_votes) == 8


def test_a_changed_vote_replaces_the_earlier_one_and_reopens_the_review() -> None:
    """Otherwise a checker who made a mistake cannot take it back, is counted twice, or leaves no trace."""
    request = reviewed()
    assert request.state is S.REVIEWED
    changed = vote(request, "cara", (TWO, Vote.APPROVED), reason="rounded after all")
    assert changed.state is S.PARTIALLY_REVIEWED
    assert changed.decision_on(TWO) is Decision.CONFLICTED
    assert len(changed.votes) == 4
    assert [(old.checker, old.vote) for old in changed.replaced_votes] == [("cara", Vote.CHANGES_REQUESTED)]
    agreed = vote(changed, "chris", (TWO, Vote.APPROVED), reason="cara is right")
    assert agreed.state is S.APPROVED
    reasons = {cast.reason for cast in agreed.votes if cast.path == TWO}
    assert reasons == {"rounded after all", "cara is right"}


def test_a_vote_is_changed_freely_while_blind_and_with_a_reason_after() -> None:
    """Otherwise a checker follows the other's vote, and nobody learns why."""
    alone = vote_all(submitted(), "chris", Vote.APPROVED)
    alone = vote_all(alone, "chris", Vote.CHANGES_REQUESTED)
    both = vote_all(alone, "cara", Vote.APPROVED)
    assert both.phase() is ReviewPhase.CONSOLIDATING
    with pytest.raises(InputError, match="A reason is missing"):
        vote(both, "chris", (ONE, Vote.APPROVED))
    with pytest.raises(InputError, match="A reason is missing"):
        vote(both, "chris", (ONE, Vote.UNDECIDED), reason="  ")
    assert vote(both, "chris", (ONE, Vote.CHANGES_REQUESTED)).phase() is ReviewPhase.CONSOLIDATING
    assert vote(both, "cleo", (ONE, Vote.APPROVED)).decision_on(ONE) is Decision.APPROVED
    assert vote_all(both, "chris", Vote.APPROVED, reason="seen").state is S.APPROVED


def test_who_has_seen_the_others_votes_is_not_blind_again() -> None:
    """Otherwise a checker votes to look, takes it back, and votes anew as if blind."""
    both = vote_all(vote_all(submitted(), "chris", Vote.APPROVED), "cara", Vote.CHANGES_REQUESTED)
    back = vote_all(both, "chris", Vote.UNDECIDED, reason="not sure")
    assert back.phase() is ReviewPhase.CONSOLIDATING
    assert back.decision_on(ONE) is Decision.INCOMPLETE
    with pytest.raises(InputError, match="A reason is missing"):
        vote_all(back, "chris", Vote.CHANGES_REQUESTED)


# Output checks


def test_a_file_that_failed_a_check_is_approved_with_a_justification_alone() -> None:
    """Otherwise a machine's warning is waved through, and nobody knows why."""

    def ballot(words: str, word: Vote = Vote.APPROVED) -> Ballot:
        return Ballot(ONE, word, justification=words)

    for words in ("", "  "):
        with pytest.raises(InputError, match="A justification is missing"):
            voted(submitted(), "chris", [ballot(words)], at=NOW, failed={ONE})
    justified = voted(submitted(), "chris", [ballot("a public figure")], at=NOW, failed={ONE})
    assert [vote.justification for vote in justified.votes] == ["a public figure"]
    assert voted(submitted(), "chris", [ballot("", Vote.CHANGES_REQUESTED)], at=NOW, failed={ONE}).votes
    assert voted(submitted(), "chris", [ballot("")], at=NOW, failed={TWO}).votes


def test_a_policy_can_block_files_that_failed_a_check() -> None:
    """Otherwise `on_fail: block` is a suggestion."""
    request = on_fail(submitted(), "block")
    with pytest.raises(RefusedError, match="blocks such files"):
        voted(request, "chris", [Ballot(ONE, Vote.APPROVED, "please")], at=NOW, failed={ONE})


def test_no_reason_lets_a_barred_file_go() -> None:
    """Otherwise a picture leaves with the name of whom it shows, because somebody wrote a sentence."""
    request = submitted()
    with pytest.raises(RefusedError, match="no reason lets it go"):
        voted(request, "chris", [Ballot(ONE, Vote.APPROVED, "please")], at=NOW, failed={ONE}, barred={ONE})
    assert voted(
        request, "chris", [Ballot(ONE, Vote.CHANGES_REQUESTED)], at=NOW, failed={ONE}, barred={ONE}
    ).votes
    assert voted(request, "chris", [Ballot(TWO, Vote.APPROVED)], at=NOW, barred={ONE}).votes


def test_votes_are_finished_once_they_are_allowed() -> None:
    """Otherwise a vote is signed that is then refused, or one stands unsigned."""
    request = voted(
        submitted(),
        "chris",
        [Ballot(ONE, Vote.APPROVED)],
        at=NOW,
        finish=lambda cast: replace(cast, nonce="f" * 32),
    )
    assert [cast.nonce for cast in request.votes] == ["f" * 32]


# What may leave


def test_only_a_request_with_outputs_is_approved() -> None:
    """Otherwise an empty request is approved by nobody's vote."""
    assert not all_approved(replace(submitted(), files=()))
    supporting = replace(submitted(paths=()), files=(frozen(ONE, kind=FileKind.SUPPORTING),))
    assert supporting.outputs() == ()
    assert supporting.phase() is ReviewPhase.INDEPENDENT


def test_a_part_is_approved_only_when_something_in_it_is() -> None:
    """Otherwise an approval releases an empty package."""
    approved = approved_in_part(reviewed(), "cara", at=NOW, reason="one alone")
    assert (approved.state, approved.decided_by, approved.reason) == (S.APPROVED, "cara", "one alone")
    assert [file.path for file in approved.approved_files()] == [ONE]
    none = submitted()
    for who in ("chris", "cara"):
        none = vote_all(none, who, Vote.CHANGES_REQUESTED)
    with pytest.raises(RefusedError, match="none of its files"):
        approved_in_part(none, "cara", at=NOW)


def test_an_author_who_takes_a_file_out_completes_a_review_but_approves_nothing() -> None:
    """Otherwise an author withdraws the doubtful files until the rest goes by itself."""
    request = submitted()
    request = vote(request, "chris", (ONE, Vote.APPROVED), (TWO, Vote.CHANGES_REQUESTED))
    request = vote(request, "cara", (ONE, Vote.APPROVED), (TWO, Vote.APPROVED))
    assert request.decision_on(TWO) is Decision.CONFLICTED
    left = moved_by_votes(file_withdrawn(request, "ana", TWO, at=NOW), NOW, approve=False)
    assert (left.state, left.phase()) == (S.REVIEWED, ReviewPhase.COMPLETE)
    assert approved_in_part(left, "cara", at=NOW).state is S.APPROVED


def test_a_vote_that_counts_no_more_is_taken_back_on_record() -> None:
    """Otherwise a revoked key's vote lets a file out, or it vanishes without a trace."""
    request = reviewed()
    assert annulled(request, {}, at=NOW) is request
    lost = next(cast for cast in request.votes if cast.checker == "chris" and cast.path == ONE)
    after = annulled(request, {lost: "its key was revoked"}, at=NOW)
    assert after.state is S.PARTIALLY_REVIEWED
    assert after.votes_on(ONE) == {"cara": Vote.APPROVED, "chris": Vote.UNDECIDED}
    assert after.replaced_votes == (lost,)
    assert [cast.reason for cast in after.votes if cast.vote is Vote.UNDECIDED] == ["its key was revoked"]
    # It is a third who approves it then; nobody is blind again.
    assert vote(after, "cleo", (ONE, Vote.APPROVED)).state is S.REVIEWED


def test_returned_and_rejected_say_by_whom_and_why() -> None:
    """Otherwise the author does not learn what to change."""
    returned = decided(submitted(), A.RETURN, "cara", at=NOW, reason="round")
    assert (returned.state, returned.decided_by, returned.reason) == (S.RETURNED, "cara", "round")
    assert decided(reviewed(), A.REJECT, "cara", at=NOW, reason="no").state is S.REJECTED
    with pytest.raises(RefusedError, match="cannot take 'reject'"):
        decided(acted(reviewed(), A.APPROVE, by="cara", at=NOW), A.REJECT, "cara", at=NOW, reason="no")
