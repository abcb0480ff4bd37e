"""Release requests: how authors make them, take files out, take them back; what their states allow."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.domain.release_requests import (
    NOW,
    ONE,
    TWO,
    A,
    S,
    a_request,
    again,
    reviewed,
    submitted,
    vote,
    vote_all,
)

from phems.domain.release_comments import commented
from phems.domain.release_states import RELEASE_REQUESTS, UNDER_REVIEW
from phems.domain.releases import (
    CommentVisibility,
    FileKind,
    acted,
    file_withdrawn,
    request_id,
    shown_state,
    withdrawn,
)
from phems.domain.review import approved_in_part
from phems.domain.state_pages import states_page
from phems.domain.state_tables import StateTable, Transition
from phems.domain.votes import Vote
from phems.errors import InputError, NotFoundError, RefusedError

DOCS = Path(__file__).parents[3] / "docs"
PUBLIC, PRIVATE = CommentVisibility.PUBLIC, CommentVisibility.PRIVATE


def test_a_name_is_made_of_random_bytes() -> None:
    """Otherwise requests can be guessed, or two have one name."""
    assert request_id(b"\0\0\0\0\0") == "rr-aaaaaaaa"
    assert request_id(b"\xff" * 8) == "rr-77777777"


def test_a_release_keeps_who_approved_and_says_when_it_left() -> None:
    """Otherwise the manifest names the publisher as the one who approved."""
    approved = approved_in_part(reviewed(), "cara", at=NOW)
    later = NOW + timedelta(hours=1)
    released = acted(approved, A.RELEASE, by="publisher", at=later)
    assert (released.state, released.decided_by, released.released_at) == (S.RELEASED, "cara", later)


def test_authors_alone_withdraw() -> None:
    """Otherwise a rival takes back someone's request."""
    assert withdrawn(submitted(), "ben", at=NOW).state is S.WITHDRAWN
    with pytest.raises(RefusedError, match="only its authors"):
        withdrawn(submitted(), "chris", at=NOW)


def test_a_new_turn_keeps_the_history_and_starts_afresh() -> None:
    """Otherwise earlier votes hold for new files, an earlier author votes, or what was asked is lost."""
    returned = acted(reviewed(), A.RETURN, by="cara", at=NOW, reason="round")
    assert (returned.decided_by, returned.reason) == ("cara", "round")
    second = again(returned, by="anton")
    assert (second.turn, second.state, second.decided_by) == (2, S.SUBMITTED, None)
    assert second.authors == {"ana", "ben", "anton"}
    assert (len(second.votes), second.votes_on(ONE)) == (4, {})
    [first] = second.ended_turns
    assert (first.turn, first.asked_by, first.state, first.reason) == (1, "ana", S.RETURNED, "round")
    assert (first.decided_by, first.opened) == ("cara", True)
    third = again(acted(second, A.RETURN, by="cleo", at=NOW, reason="again"), by="ana")
    assert [(turn.turn, turn.asked_by, turn.opened) for turn in third.ended_turns] == [
        (1, "ana", True),
        (2, "anton", False),
    ]
    both = vote_all(vote_all(second, "chris", Vote.APPROVED), "cara", Vote.APPROVED)
    assert both.state is S.APPROVED


# Files that are taken out


def test_a_withdrawn_file_stays_on_record_and_cannot_leave() -> None:
    """Otherwise an author who sees a mistake has to withdraw everything, or the mistake leaves."""
    request = file_withdrawn(reviewed(), "ben", ONE, at=NOW)
    gone = request.file(ONE)
    assert (gone.kind, gone.withdrawn_by, gone.withdrawn_at) == (FileKind.WITHDRAWN, "ben", NOW)
    assert [file.path for file in request.outputs()] == [TWO]
    assert request.approved_files() == ()
    assert len(request.votes) == 4


@pytest.mark.parametrize(
    ("request_", "who", "path", "told"),
    [
        (submitted(), "chris", ONE, "only its authors"),
        (submitted(paths=(ONE,)), "ana", ONE, "asks for nothing"),
        (file_withdrawn(submitted(), "ana", ONE, at=NOW), "ben", ONE, "ana has withdrawn it already"),
        (approved_in_part(reviewed(), "cara", at=NOW), "ana", ONE, "It is APPROVED"),
        (acted(submitted(), A.RETURN, by="cara", at=NOW), "ana", ONE, "It is RETURNED"),
    ],
)
def test_a_file_is_withdrawn_by_an_author_during_the_review_and_never_the_last(
    request_: object, who: str, path: str, told: str
) -> None:
    """Otherwise a checker empties a request, or an empty one is approved."""
    with pytest.raises(RefusedError) as refused:
        file_withdrawn(request_, who, path, at=NOW)  # type: ignore[arg-type]
    assert told in str(refused.value)


def test_a_file_that_is_not_there_is_an_error() -> None:
    """Otherwise a typing error looks like an act."""
    with pytest.raises(NotFoundError, match="has no file"):
        file_withdrawn(submitted(), "ana", "outputs/run-1/three.csv", at=NOW)


# Comments


def test_comments_are_on_the_request_or_on_one_of_its_groups() -> None:
    """Otherwise nobody knows what a remark is about."""
    request = commented(submitted(), "cara", " hm ", PRIVATE, checker=True, group="default", at=NOW)
    request = commented(request, "ana", "why?", PUBLIC, checker=False, group=None, at=NOW)
    assert [(c.by, c.text, c.visibility, c.group) for c in request.comments] == [
        ("cara", "hm", PRIVATE, "default"),
        ("ana", "why?", PUBLIC, None),
    ]
    with pytest.raises(NotFoundError, match="no file group 'tables'"):
        commented(request, "cara", "hm", PUBLIC, checker=True, group="tables", at=NOW)
    with pytest.raises(RefusedError, match="private comment"):
        commented(request, "ana", "hm", PRIVATE, checker=False, group=None, at=NOW)
    with pytest.raises(InputError, match="empty"):
        commented(request, "ana", " ", PUBLIC, checker=False, group=None, at=NOW)


# The table and its page


def test_the_states_page_is_fresh() -> None:
    """Otherwise the diagram in the docs tells another story than the code: run `make docs`."""
    assert (DOCS / "explanation/states.md").read_text() == states_page()


def test_every_state_can_be_reached_and_some_end() -> None:
    """Otherwise a request gets stuck in a state that nothing leads out of, or a state is only a word."""
    assert {row.target for row in RELEASE_REQUESTS.rows} == set(S)
    assert set(RELEASE_REQUESTS.terminal()) == {S.REJECTED, S.WITHDRAWN, S.REVOKED}


def test_a_table_with_two_answers_to_one_question_is_refused() -> None:
    """Otherwise the next state depends on the order of the rows."""
    row = Transition(S.PENDING, A.SUBMIT, S.SUBMITTED, "x")
    with pytest.raises(ValueError, match="share a state and an action"):
        StateTable("thing", (row, replace(row, target=S.APPROVED)))


def test_a_refusal_names_where_the_action_is_possible() -> None:
    """Otherwise a person does not know what has to happen first."""
    with pytest.raises(RefusedError, match="possible in: APPROVED, RELEASED") as refused:
        acted(submitted(), A.REVOKE, by="ida", at=NOW)
    assert "phems release show rr-aaaaaaaa" in refused.value.remedy
    with pytest.raises(RefusedError, match="possible in: none"):
        StateTable("thing", ()).after(S.PENDING, A.REQUEST, name="rr", remedy="")
    with pytest.raises(RefusedError, match="It is new"):
        RELEASE_REQUESTS.after(None, A.REVOKE, name="rr", remedy="")


def test_a_refusal_does_not_tell_that_another_checker_has_voted() -> None:
    """Otherwise a checker asks for something impossible, and learns from the error that a vote is cast."""
    request = vote(submitted(), "chris", (ONE, Vote.APPROVED))
    assert shown_state(request, "chris") is S.PARTIALLY_REVIEWED
    for who in ("cara", "ana", "ida"):
        assert shown_state(request, who) is S.SUBMITTED
        with pytest.raises(RefusedError, match="It is SUBMITTED"):
            acted(request, A.REJECT, by=who, at=NOW)
    assert shown_state(vote_all(request, "cara", Vote.CHANGES_REQUESTED), "cara") is S.PARTIALLY_REVIEWED


def test_the_masked_state_allows_people_what_the_true_one_does() -> None:
    """Otherwise an act that is refused tells the two states apart."""
    by_people = {row.action for row in RELEASE_REQUESTS.rows if row.by != "system"}
    for action in by_people:
        allowed = {RELEASE_REQUESTS.allows(state, action) for state in (S.SUBMITTED, S.PARTIALLY_REVIEWED)}
        assert len(allowed) == 1


def test_a_request_under_review_takes_no_new_files() -> None:
    """Otherwise files are slipped in after the votes."""
    for state in (S.PENDING, *UNDER_REVIEW, S.APPROVED, S.RELEASED):
        with pytest.raises(RefusedError, match="cannot take 'request' now"):
            acted(replace(a_request(), state=state), A.REQUEST, by="ana", at=NOW)
