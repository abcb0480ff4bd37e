"""Release requests: who may vote and decide, what leaves, and that no road leads around the rules."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from phems.domain.release_packages import NodeIdentity, manifest_of, package_paths, revocation_notice
from phems.domain.release_states import RELEASE_REQUESTS, UNDER_REVIEW, ReleaseAction, ReleaseState
from phems.domain.release_views import seen_by
from phems.domain.releases import (
    Comment,
    CommentVisibility,
    FileGroup,
    FileKind,
    FrozenFile,
    ReleasePolicy,
    ReleaseRequest,
    RunOrigin,
    acted,
    all_approved,
    approved_in_part,
    authors_of,
    check_may_vote,
    may_vote,
    request_id,
    submitted_again,
    voted,
    withdrawn,
)
from phems.domain.state_pages import states_page
from phems.domain.state_tables import StateTable, Transition
from phems.domain.votes import Decision, ReviewPhase, Vote
from phems.errors import NotFoundError, RefusedError

S, A = ReleaseState, ReleaseAction
NOW = datetime(2026, 11, 1, tzinfo=UTC)
ONE, TWO = "outputs/run-1/one.csv", "outputs/run-1/two.csv"
DOCS = Path(__file__).parents[3] / "docs"


def frozen(path: str, run_id: str = "run-1", kind: FileKind = FileKind.OUTPUT) -> FrozenFile:
    return FrozenFile(path, "a" * 64, 3, "text/csv", run_id, "step", kind=kind)


def a_request(votes: int = 2, paths: tuple[str, ...] = (ONE, TWO)) -> ReleaseRequest:
    runs = (RunOrigin("run-1", launched_by="ben", commit="c" * 40, digest="d" * 64),)
    return ReleaseRequest(
        id="rr-aaaaaaaa",
        project="heart-attack",
        requester="ana",
        authors=authors_of("ana", runs),
        policy=ReleasePolicy("default", votes, ("csv",), 100),
        requested_at=NOW,
        groups=(FileGroup("default", "a table", "rounded"),),
        files=tuple(frozen(path) for path in paths),
        runs=runs,
    )


def submitted(votes: int = 2, paths: tuple[str, ...] = (ONE, TWO)) -> ReleaseRequest:
    return acted(a_request(votes, paths), A.SUBMIT, by="ana", at=NOW)


def vote(request: ReleaseRequest, who: str, *votes: tuple[str, Vote]) -> ReleaseRequest:
    return voted(request, who, votes, at=NOW)


def vote_all(request: ReleaseRequest, who: str, word: Vote) -> ReleaseRequest:
    return voted(request, who, [(file.path, word) for file in request.outputs()], at=NOW)


def reviewed() -> ReleaseRequest:
    """One file approved, one that needs changes."""
    request = submitted()
    for who in ("chris", "cara"):
        request = vote(request, who, (ONE, Vote.APPROVED), (TWO, Vote.CHANGES_REQUESTED))
    return request


def test_a_name_is_made_of_random_bytes() -> None:
    """Otherwise requests can be guessed, or two have one name."""
    assert request_id(b"\0\0\0\0\0") == "rr-aaaaaaaa"
    assert request_id(b"\xff" * 8) == "rr-77777777"


@pytest.mark.parametrize("author", ["ana", "ben"])
def test_authors_neither_vote_nor_decide(author: str) -> None:
    """Attack 28: the requester, or who launched the run, lets their own results out."""
    with pytest.raises(RefusedError, match=f"{author} cannot vote"):
        vote_all(submitted(), author, Vote.APPROVED)
    assert not may_vote(submitted(), author)
    assert may_vote(submitted(), "chris")
    with pytest.raises(RefusedError, match=f"{author} cannot approve"):
        approved_in_part(reviewed(), author, at=NOW)


@pytest.mark.parametrize("state", [state for state in S if state not in UNDER_REVIEW])
def test_votes_count_during_the_review_alone(state: ReleaseState) -> None:
    """Otherwise a decided request is voted around."""
    with pytest.raises(RefusedError, match="takes no votes now"):
        check_may_vote(replace(submitted(), state=state), "chris")


def test_a_vote_on_a_file_that_is_not_there_is_an_error() -> None:
    """Otherwise a typing error looks like a vote."""
    with pytest.raises(NotFoundError, match="has no file"):
        vote(submitted(), "chris", ("outputs/run-1/three.csv", Vote.APPROVED))


def test_the_last_vote_approves_the_request() -> None:
    """Otherwise approved results wait for nobody."""
    once = vote_all(submitted(), "chris", Vote.APPROVED)
    assert once.state is S.PARTIALLY_REVIEWED
    twice = vote_all(once, "cara", Vote.APPROVED)
    assert (twice.state, twice.decided_by) == (S.APPROVED, "system")
    single = vote_all(submitted(votes=1), "chris", Vote.APPROVED)
    assert single.state is S.APPROVED


def test_a_release_keeps_who_approved_and_says_when_it_left() -> None:
    """Otherwise the manifest names the publisher as the one who approved."""
    approved = approved_in_part(reviewed(), "cara", at=NOW)
    later = NOW + timedelta(hours=1)
    released = acted(approved, A.RELEASE, by="publisher", at=later)
    assert (released.state, released.decided_by, released.released_at) == (S.RELEASED, "cara", later)


def test_a_changed_vote_replaces_the_earlier_one_and_reopens_the_review() -> None:
    """Otherwise a checker who made a mistake cannot take it back, or is counted twice."""
    request = reviewed()
    assert request.state is S.REVIEWED
    changed = vote(request, "cara", (TWO, Vote.APPROVED))
    assert changed.state is S.PARTIALLY_REVIEWED
    assert changed.decision_on(TWO) is Decision.CONFLICTED
    assert len(changed.votes) == 4
    assert vote(changed, "chris", (TWO, Vote.APPROVED)).state is S.APPROVED


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


def test_authors_alone_withdraw() -> None:
    """Otherwise a rival takes back someone's request."""
    assert withdrawn(submitted(), "ben", at=NOW).state is S.WITHDRAWN
    with pytest.raises(RefusedError, match="only its authors"):
        withdrawn(submitted(), "chris", at=NOW)


def test_a_new_turn_keeps_the_history_and_starts_afresh() -> None:
    """Otherwise earlier votes hold for new files, or an earlier author votes."""
    returned = acted(reviewed(), A.RETURN, by="cara", at=NOW, reason="round")
    assert (returned.decided_by, returned.reason) == ("cara", "round")
    again = submitted_again(
        returned,
        by="anton",
        policy=returned.policy,
        groups=returned.groups,
        files=(frozen(ONE),),
        runs=(RunOrigin("run-1"),),
        at=NOW,
    )
    assert (again.turn, again.state, again.decided_by) == (2, S.SUBMITTED, None)
    assert again.authors == {"ana", "ben", "anton"}
    assert len(again.votes) == 4
    assert again.votes_on(ONE) == {}
    both = vote_all(vote_all(again, "chris", Vote.APPROVED), "cara", Vote.APPROVED)
    assert both.state is S.APPROVED
    assert len(both.votes) == 6


# Blindness


def test_a_checker_sees_nothing_of_another_before_both_are_done() -> None:
    """Otherwise the second checker follows the first."""
    request = vote_all(submitted(), "chris", Vote.CHANGES_REQUESTED)
    comment = Comment("chris", "hm", CommentVisibility.PUBLIC, NOW, 1)
    request = replace(request, comments=(comment,))
    own, other = seen_by(request, "chris", checker=True), seen_by(request, "cara", checker=True)
    assert len(own.votes) == 2
    assert own.comments == (comment,)
    assert (other.votes, other.comments) == ((), ())
    assert set(other.decisions.values()) == {Decision.INCOMPLETE}


def test_after_both_have_voted_checkers_see_all_and_authors_nothing_yet() -> None:
    """Otherwise checkers cannot settle a conflict, or an author leans on one of them."""
    request = vote_all(submitted(), "chris", Vote.CHANGES_REQUESTED)
    request = vote(request, "cara", (ONE, Vote.CHANGES_REQUESTED), (TWO, Vote.APPROVED))
    private = Comment("chris", "p", CommentVisibility.PRIVATE, NOW, 1)
    public = Comment("chris", "q", CommentVisibility.PUBLIC, NOW, 1)
    answer = Comment("ana", "a", CommentVisibility.PUBLIC, NOW, 1)
    request = replace(request, comments=(private, public, answer))
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


def test_earlier_turns_are_open() -> None:
    """Otherwise checkers of a second turn do not learn what the first asked for."""
    old = Comment("chris", "round", CommentVisibility.PUBLIC, NOW, 1)
    request = replace(reviewed(), comments=(old,), turn=2, state=S.SUBMITTED)
    view = seen_by(request, "cleo", checker=True)
    assert len(view.votes) == 4
    assert view.comments == (old,)


# Packages


def test_files_lie_under_their_names_and_below_their_runs_when_there_are_several() -> None:
    """Otherwise two runs' files overwrite each other in the package."""
    one, other = frozen("outputs/run-1/km/a.csv"), frozen("outputs/run-2/km/a.csv", "run-2")
    assert package_paths((one,)) == {one.path: "files/km/a.csv"}
    assert package_paths((one, other)) == {
        one.path: "files/run-1/km/a.csv",
        other.path: "files/run-2/km/a.csv",
    }


def test_the_manifest_tells_what_left_and_why_and_nothing_else() -> None:
    """Otherwise a receiver cannot check the package, or the manifest leaks what was withheld."""
    request = approved_in_part(reviewed(), "cara", at=NOW)
    raw = manifest_of(request, NodeIdentity("node-a", "Hospital A", "1.0"), released_at=NOW)
    manifest = json.loads(raw)
    assert b"two.csv" not in raw
    assert manifest["files_withheld"] == 1
    assert manifest["approved_by"] == "cara"
    assert manifest["released_at"] == "2026-11-01T00:00:00.000+00:00"
    assert manifest["groups"] == [{"context": "a table", "controls": "rounded", "name": "default"}]
    [run] = manifest["runs"]
    assert run["code_revision"] == {"commit": "c" * 40, "digest": "d" * 64}
    [file] = manifest["files"]
    assert (file["path"], file["decision"], len(file["votes"])) == ("files/one.csv", "APPROVED", 2)
    undecided = manifest_of(submitted(), NodeIdentity("n", "c", "1"), released_at=NOW)
    assert json.loads(undecided)["approved_at"] is None


def test_a_notice_says_who_revoked_and_why() -> None:
    """Otherwise a receiver of a revoked package learns nothing."""
    released = replace(submitted(), state=S.RELEASED, package_digest="e" * 64)
    notice = json.loads(revocation_notice(acted(released, A.REVOKE, by="ida", at=NOW, reason="wrong")))
    assert (notice["state"], notice["revoked_by"], notice["reason"]) == ("REVOKED", "ida", "wrong")
    assert json.loads(revocation_notice(released))["revoked_at"] is None


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
        RELEASE_REQUESTS.after(S.PENDING, A.REQUEST, name="rr", remedy="")
    with pytest.raises(RefusedError, match="It is new"):
        RELEASE_REQUESTS.after(None, A.REVOKE, name="rr", remedy="")


PEOPLE = st.sampled_from(["ana", "ben", "chris", "cara", "cleo"])


class ReleaseMachine(RuleBasedStateMachine):
    """Anyone tries anything in any order; what must always hold is checked after each attempt."""

    @initialize(votes=st.integers(1, 3))
    def begin(self, votes: int) -> None:
        self.request = submitted(votes)
        self.now = NOW

    def attempt(self, change: object) -> None:
        self.now += timedelta(seconds=1)
        before = self.request
        try:
            self.request = change()  # type: ignore[operator]
        except RefusedError:
            assert self.request is before
            return
        allowed = {(row.source, row.target) for row in RELEASE_REQUESTS.rows}
        states = (before.state, self.request.state)
        # One vote may begin, complete and approve at once; anything else is one row of the table.
        if states[0] is not states[1] and states not in allowed:
            assert states[0] in UNDER_REVIEW
            assert states[1] in (S.REVIEWED, S.APPROVED)

    @rule(who=PEOPLE, path=st.sampled_from([ONE, TWO]), word=st.sampled_from(Vote))
    def vote_one(self, who: str, path: str, word: Vote) -> None:
        self.attempt(lambda: voted(self.request, who, [(path, word)], at=self.now))

    @rule(who=PEOPLE, word=st.sampled_from(Vote))
    def vote_every(self, who: str, word: Vote) -> None:
        every = [(file.path, word) for file in self.request.outputs()]
        self.attempt(lambda: voted(self.request, who, every, at=self.now))

    @rule(who=PEOPLE)
    def approve(self, who: str) -> None:
        self.attempt(lambda: approved_in_part(self.request, who, at=self.now))

    @rule(who=PEOPLE, action=st.sampled_from([A.RETURN, A.REJECT, A.REVOKE, A.RELEASE]))
    def act(self, who: str, action: ReleaseAction) -> None:
        self.attempt(lambda: acted(self.request, action, by=who, at=self.now))

    @rule(who=PEOPLE)
    def withdraw(self, who: str) -> None:
        self.attempt(lambda: withdrawn(self.request, who, at=self.now))

    @rule(who=st.sampled_from(["ana", "ben"]))
    def submit_again(self, who: str) -> None:
        request = self.request
        self.attempt(
            lambda: submitted_again(
                request,
                by=who,
                policy=request.policy,
                groups=request.groups,
                files=request.files,
                runs=request.runs,
                at=self.now,
            )
        )

    @invariant()
    def authors_have_no_vote(self) -> None:
        if hasattr(self, "request"):
            assert not {vote.checker for vote in self.request.votes} & self.request.authors

    @invariant()
    def what_may_leave_was_approved_by_enough_checkers(self) -> None:
        if hasattr(self, "request") and self.request.state in (S.APPROVED, S.RELEASED):
            assert self.request.approved_files()
            for file in self.request.approved_files():
                words = self.request.votes_on(file.path)
                assert list(words.values()).count(Vote.APPROVED) >= self.request.policy.votes

    @invariant()
    def no_checker_sees_another_while_independent(self) -> None:
        if hasattr(self, "request") and self.request.state in UNDER_REVIEW:
            view = seen_by(self.request, "cleo", checker=True)
            if view.phase is ReviewPhase.INDEPENDENT:
                present = {vote.checker for vote in view.votes if vote.turn == self.request.turn}
                assert present <= {"cleo"}

    @invariant()
    def one_vote_for_each_checker_file_and_turn(self) -> None:
        if hasattr(self, "request"):
            keys = [(vote.turn, vote.path, vote.checker) for vote in self.request.votes]
            assert len(keys) == len(set(keys))


TestReleaseMachine = ReleaseMachine.TestCase
TestReleaseMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
