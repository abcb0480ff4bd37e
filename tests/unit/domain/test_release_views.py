"""What each person sees of a release request, of its earlier turns, and of its history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.domain.release_requests import (
    NOW,
    ONE,
    TWO,
    A,
    S,
    again,
    frozen,
    reviewed,
    submitted,
    vote,
    vote_all,
)

from phems.domain.output_checks import CheckReport
from phems.domain.release_history import HistoryEvent, history_of
from phems.domain.release_views import seen_at_turn, seen_by
from phems.domain.releases import Comment, CommentVisibility, ReleaseRequest, acted, file_withdrawn
from phems.domain.review import approved_in_part
from phems.domain.votes import Decision, ReviewPhase, Vote
from phems.errors import NotFoundError

PUBLIC, PRIVATE = CommentVisibility.PUBLIC, CommentVisibility.PRIVATE


def said(request: ReleaseRequest, *comments: Comment) -> ReleaseRequest:
    return replace(request, comments=(*request.comments, *comments))


def returned_blind() -> ReleaseRequest:
    """Chris has voted and commented; cara, who has not, returned it, and the author asked again."""
    request = vote_all(submitted(), "chris", Vote.CHANGES_REQUESTED)
    request = said(
        request,
        Comment("chris", "one patient", PRIVATE, NOW, 1),
        Comment("chris", "please round", PUBLIC, NOW, 1, "default"),
    )
    return acted(request, A.RETURN, by="cara", at=NOW, reason="round")


def test_a_checker_sees_nothing_of_another_before_both_are_done() -> None:
    """Otherwise the second checker follows the first."""
    request = vote_all(submitted(), "chris", Vote.CHANGES_REQUESTED)
    request = vote_all(request, "chris", Vote.APPROVED)
    comment = Comment("chris", "hm", PUBLIC, NOW, 1)
    request = said(request, comment)
    own, other = seen_by(request, "chris", checker=True), seen_by(request, "cara", checker=True)
    assert (len(own.votes), len(own.request.replaced_votes)) == (2, 2)
    assert own.comments == (comment,)
    assert (other.votes, other.request.replaced_votes, other.comments) == ((), (), ())
    assert set(other.decisions.values()) == {Decision.INCOMPLETE}
    assert (own.request.state, other.request.state) == (S.PARTIALLY_REVIEWED, S.SUBMITTED)
    # What cara sees now is what she saw before chris voted: nothing gives the vote away.
    assert other == seen_by(submitted(), "cara", checker=True)


def test_after_both_have_voted_checkers_see_all_and_authors_nothing_yet() -> None:
    """Otherwise checkers cannot settle a conflict, or an author leans on one of them."""
    request = vote_all(submitted(), "chris", Vote.CHANGES_REQUESTED)
    request = vote(request, "cara", (ONE, Vote.CHANGES_REQUESTED), (TWO, Vote.APPROVED))
    private, public = Comment("chris", "p", PRIVATE, NOW, 1), Comment("chris", "q", PUBLIC, NOW, 1)
    answer = Comment("ana", "a", PUBLIC, NOW, 1)
    request = said(request, private, public, answer)
    checker = seen_by(request, "cara", checker=True)
    assert len(checker.votes) == 4
    assert checker.decisions == {ONE: Decision.CHANGES_REQUESTED, TWO: Decision.CONFLICTED}
    assert checker.comments == (private, public, answer)
    # An author who is also a checker is shown what an author is shown.
    author = seen_by(request, "ana", checker=True)
    assert author.votes == ()
    assert author.comments == (public, answer)
    over = seen_by(acted(request, A.RETURN, by="cara", at=NOW), "ana", checker=False)
    assert len(over.votes) == 4
    assert over.comments == (public, answer)


def test_a_return_is_no_way_to_look_at_a_blind_vote() -> None:
    """Otherwise a checker returns the request, and votes in the next turn with the other's vote in sight."""
    returned = returned_blind()
    for request in (returned, again(returned)):
        cara = seen_by(request, "cara", checker=True)
        assert cara.votes == ()
        # What is said to the author is said: they have to know what to change.
        assert [comment.text for comment in cara.comments] == ["please round"]
        assert [comment.text for comment in seen_by(request, "ana", checker=False).comments] == [
            "please round"
        ]
        assert len(seen_by(request, "chris", checker=True).votes) == 2
    both = vote_all(vote_all(again(returned), "cara", Vote.APPROVED), "cleo", Vote.CHANGES_REQUESTED)
    cara = seen_by(both, "cara", checker=True)
    assert {vote.turn for vote in cara.votes} == {1, 2}
    assert [comment.text for comment in cara.comments] == ["one patient", "please round"]
    assert seen_by(both, "ana", checker=False).votes == ()
    # What was opened stays open when the next turn is blind again.
    third = again(acted(both, A.RETURN, by="cara", at=NOW))
    assert {vote.turn for vote in seen_by(third, "cara", checker=True).votes} == {1, 2}


def test_a_request_withdrawn_while_checkers_are_blind_keeps_their_votes_sealed() -> None:
    """Otherwise an author withdraws and asks anew, and the next checker reads the first one's vote."""
    request = vote_all(submitted(), "chris", Vote.CHANGES_REQUESTED)
    request = acted(request, A.WITHDRAW, by="ana", at=NOW)
    for who in ("cara", "ana", "ida"):
        assert seen_by(request, who, checker=who == "cara").votes == ()


def test_turns_whose_blind_phase_was_over_are_open() -> None:
    """Otherwise checkers of a second turn do not learn what the first asked for."""
    old = Comment("chris", "round", PRIVATE, NOW, 1)
    request = again(acted(said(reviewed(), old), A.RETURN, by="cara", at=NOW))
    view = seen_by(request, "cleo", checker=True)
    assert len(view.votes) == 4
    assert view.comments == (old,)
    assert len(seen_by(request, "ana", checker=False).votes) == 4


def test_findings_are_for_authors_and_checkers() -> None:
    """Otherwise evidence that quotes a result is read by who has no part in the review."""
    report = CheckReport((), {"set": "1"})
    for who, checker, shown in (("ana", False, True), ("cara", True, True), ("ida", False, False)):
        view = seen_by(submitted(), who, checker=checker, report=report)
        assert (view.report is report) is shown
        request = again(acted(reviewed(), A.RETURN, by="cara", at=NOW))
        earlier = seen_at_turn(request, who, 1, (frozen(ONE),), checker=checker, report=report)
        assert (earlier.report is report) is shown


# Earlier turns


def test_an_earlier_turn_is_shown_as_it_ended() -> None:
    """Otherwise what was asked for, voted and said before the changes is lost."""
    first = said(reviewed(), Comment("cara", "round", PUBLIC, NOW, 1))
    request = again(acted(first, A.RETURN, by="cara", at=NOW, reason="round"), by="anton")
    request = said(request, Comment("anton", "done", PUBLIC, NOW, 2))
    request = vote_all(request, "chris", Vote.APPROVED)
    then = seen_at_turn(request, "cleo", 1, (frozen(ONE), frozen(TWO)), checker=True)
    assert (then.request.state, then.request.turn, then.request.reason) == (S.RETURNED, 1, "round")
    assert then.phase is ReviewPhase.COMPLETE
    assert then.decisions == {ONE: Decision.APPROVED, TWO: Decision.CHANGES_REQUESTED}
    assert {vote.turn for vote in then.votes} == {1}
    assert [comment.text for comment in then.comments] == ["round"]
    assert then.request.asked_by == "ana"
    third = again(acted(request, A.RETURN, by="cleo", at=NOW))
    assert seen_at_turn(third, "cleo", 2, (), checker=True).request.asked_by == "anton"
    assert len(seen_at_turn(third, "cleo", 2, (), checker=True).request.ended_turns) == 1


def test_an_earlier_turn_that_ended_blind_shows_no_decision() -> None:
    """Otherwise the decisions of a sealed turn give its votes away."""
    request = again(returned_blind())
    then = seen_at_turn(request, "cara", 1, (frozen(ONE), frozen(TWO)), checker=True)
    assert then.phase is ReviewPhase.INDEPENDENT
    assert set(then.decisions.values()) == {Decision.INCOMPLETE}
    assert then.votes == ()
    with pytest.raises(NotFoundError, match="has no turn 3") as refused:
        seen_at_turn(request, "cara", 3, (), checker=True)
    assert refused.value.why == "it has: 1, 2."


# The history


def test_the_history_has_every_act_in_order_that_may_be_seen() -> None:
    """Otherwise nobody can tell how a request came to its end."""
    hour = timedelta(hours=1)
    request = reviewed()
    request = vote(request, "cara", (TWO, Vote.APPROVED), reason="rounded")
    request = said(request, Comment("cara", "round", PUBLIC, NOW, 1, "default"))
    request = acted(request, A.RETURN, by="cara", at=NOW + hour, reason="round")
    first = (replace(frozen(ONE), withdrawn_by="ana", withdrawn_at=NOW), frozen(TWO))
    request = again(request, by="anton")
    request = replace(
        request, asked_at=NOW + 2 * hour, files=(frozen(ONE), frozen(TWO)), comments=request.comments
    )
    request = file_withdrawn(request, "anton", TWO, at=NOW + 3 * hour)
    for who in ("chris", "cara"):
        request = vote_all(request, who, Vote.APPROVED)
    request = replace(request, decided_at=NOW + 4 * hour)
    released = acted(request, A.RELEASE, by="publisher", at=NOW + 5 * hour)
    told = history_of(seen_by(released, "ida", checker=False), {1: first})
    assert told[0] == HistoryEvent(NOW, 1, "ana", "requested", text="2 files")
    assert [event.at for event in told] == sorted(event.at for event in told)
    words = [(event.turn, event.by, event.what, event.about) for event in told]
    for one in (
        (1, "cara", "voted CHANGES_REQUESTED", TWO),
        (1, "cara", "voted APPROVED", TWO),
        (1, "cara", "commented (public)", "default"),
        (1, "cara", "returned", None),
        (2, "anton", "requested", None),
        (1, "ana", "withdrew a file", ONE),
        (2, "anton", "withdrew a file", TWO),
        (2, "chris", "voted APPROVED", ONE),
        (2, "system", "approved", None),
        (2, "publisher", "released", None),
    ):
        assert one in words
    assert [event.text for event in told if event.what == "returned"] == ["round"]
    assert "rounded" in [event.text for event in told]


def test_the_history_does_not_tell_what_the_view_does_not() -> None:
    """Otherwise a checker reads the other's vote in the history."""
    request = vote_all(submitted(), "chris", Vote.APPROVED)
    told = history_of(seen_by(request, "cara", checker=True))
    assert [(event.by, event.what) for event in told] == [("ana", "requested")]
    assert "approved" in {
        event.what
        for event in history_of(seen_by(approved_in_part(reviewed(), "cara", at=NOW), "ida", checker=False))
    }
