"""Anyone tries anything in any order, on a request and on a model of it; both must always agree.

The model knows nothing of the code: it is written from what the documents say, with sets and counts. What
must hold whatever happens (who may vote, what may leave, who sees what) is checked after each attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.domain.release_requests import NOW, ONE, TWO, a_request, frozen, on_fail

from phems.domain.release_comments import commented
from phems.domain.release_history import history_of
from phems.domain.release_states import RELEASE_REQUESTS, UNDER_REVIEW, ReleaseAction, ReleaseState
from phems.domain.release_views import ReleaseView, seen_by
from phems.domain.releases import (
    CommentVisibility,
    FileKind,
    ReleaseRequest,
    RunOrigin,
    acted,
    asked_again,
    file_withdrawn,
    shown_state,
    withdrawn,
)
from phems.domain.review import Ballot, approved_in_part, decided, moved_by_votes, voted
from phems.domain.votes import Decision, ReviewPhase, Vote
from phems.errors import InputError, NotFoundError, RefusedError

S, A = ReleaseState, ReleaseAction
PATHS = (ONE, TWO)
AUTHORS, CHECKERS = ("ana", "ben"), ("chris", "cara", "cleo")
PEOPLE = st.sampled_from([*AUTHORS, *CHECKERS])

# From the documents, by hand: state -> what a person can do to it -> state. Votes move the rest.
BY_PEOPLE = {
    "PENDING": {"submit": "SUBMITTED", "withdraw": "WITHDRAWN", "withdraw a file": "PENDING"},
    "SUBMITTED": {"return": "RETURNED", "withdraw": "WITHDRAWN", "withdraw a file": "SUBMITTED"},
    "PARTIALLY_REVIEWED": {
        "return": "RETURNED",
        "withdraw": "WITHDRAWN",
        "withdraw a file": "PARTIALLY_REVIEWED",
    },
    "REVIEWED": {
        "approve": "APPROVED",
        "reject": "REJECTED",
        "return": "RETURNED",
        "withdraw": "WITHDRAWN",
        "withdraw a file": "REVIEWED",
    },
    "RETURNED": {"request": "PENDING", "withdraw": "WITHDRAWN"},
    "APPROVED": {"release": "RELEASED", "revoke": "REVOKED", "withdraw": "WITHDRAWN"},
    "RELEASED": {"revoke": "REVOKED"},
    "REJECTED": {},
    "WITHDRAWN": {},
    "REVOKED": {},
}
BY_SYSTEM = {"begin review", "complete review", "reopen review"}


def test_the_table_is_the_one_that_the_documents_tell() -> None:
    """Otherwise a row is added that nobody has thought through."""
    told = {(source, action): target for source, row in BY_PEOPLE.items() for action, target in row.items()}
    table = {
        (row.source.value, row.action.value): row.target.value
        for row in RELEASE_REQUESTS.rows
        if row.source is not None and row.action.value not in BY_SYSTEM
    }
    assert table == told
    assert {row.action.value for row in RELEASE_REQUESTS.rows if row.by == "system"} == {
        *BY_SYSTEM,
        "approve",
    }


@dataclass
class Model:
    """A request as the documents tell it."""

    needed: int
    state: str = "PENDING"
    turn: int = 1
    authors: set[str] = field(default_factory=lambda: set(AUTHORS))
    files: set[str] = field(default_factory=lambda: set(PATHS))
    words: dict[tuple[str, str], str] = field(default_factory=dict)
    heard: set[tuple[str, str]] = field(default_factory=set)

    def decision(self, path: str) -> str:
        words = [word for (voted_on, _), word in self.words.items() if voted_on == path]
        yes, no = words.count("APPROVED"), words.count("CHANGES_REQUESTED")
        if yes + no < self.needed:
            return "INCOMPLETE"
        if (yes >= self.needed) == (no >= self.needed):
            return "CONFLICTED"
        return "APPROVED" if yes >= self.needed else "CHANGES_REQUESTED"

    @property
    def complete(self) -> bool:
        return all(self.decision(path) in ("APPROVED", "CHANGES_REQUESTED") for path in self.files)

    @property
    def blind(self) -> bool:
        counts = [sum(path == heard for heard, _ in self.heard) for path in self.files]
        return min(counts) < self.needed

    @property
    def phase(self) -> str:
        return "COMPLETE" if self.complete else "INDEPENDENT" if self.blind else "CONSOLIDATING"

    def can(self, action: str) -> bool:
        return action in BY_PEOPLE[self.state]

    def do(self, action: str) -> None:
        self.state = BY_PEOPLE[self.state][action]

    def follow_votes(self, *, approve: bool) -> None:
        if self.complete:
            every = all(self.decision(path) == "APPROVED" for path in self.files)
            self.state = "APPROVED" if every and approve else "REVIEWED"
        elif self.state == "REVIEWED" or any(path in self.files for path, _ in self.words):
            self.state = "PARTIALLY_REVIEWED"


class ReleaseMachine(RuleBasedStateMachine):
    """The request beside its model."""

    request: ReleaseRequest
    model: Model

    @initialize(votes=st.sampled_from([1, 2, 2, 2, 3]), block=st.sampled_from([False, False, True]))
    def begin(self, votes: int, block: bool) -> None:
        self.request = on_fail(a_request(votes), "block" if block else "justify")
        self.block = block
        self.failed: set[str] = set()
        self.now = NOW
        self.model = Model(votes)
        self.seen: dict[str, frozenset[tuple[int, str, str]]] = {}
        self.submit(set())

    def attempt(self, change: Callable[[], ReleaseRequest], *, allowed: bool) -> bool:
        self.now += timedelta(seconds=1)
        try:
            after = change()
        except (RefusedError, InputError, NotFoundError):
            assert not allowed
            return False
        assert allowed
        self.request = after
        return True

    @rule(failing=st.sets(st.sampled_from(PATHS)))
    def submit(self, failing: set[str]) -> None:
        if self.attempt(
            lambda: acted(self.request, A.SUBMIT, by="ana", at=self.now), allowed=self.model.can("submit")
        ):
            self.failed = failing
            self.model.do("submit")

    @rule(
        who=PEOPLE,
        paths=st.sets(st.sampled_from(PATHS), min_size=1),
        word=st.sampled_from(Vote),
        reason=st.sampled_from(["", "seen"]),
        justification=st.sampled_from(["", "known"]),
    )
    def vote(self, who: str, paths: set[str], word: Vote, reason: str, justification: str) -> None:
        model = self.model
        changed = any(model.words.get((path, who), word.value) != word.value for path in paths)
        doubtful = word is Vote.APPROVED and bool(paths & self.failed)
        allowed = (
            model.state in ("SUBMITTED", "PARTIALLY_REVIEWED", "REVIEWED")
            and who not in model.authors
            and paths <= model.files
            and not (doubtful and (self.block or not justification))
            and not (changed and model.phase != "INDEPENDENT" and not reason)
        )
        ballots = [Ballot(path, word, justification, reason) for path in sorted(paths)]
        if self.attempt(
            lambda: voted(self.request, who, ballots, at=self.now, failed=self.failed), allowed=allowed
        ):
            for path in paths:
                model.words[path, who] = word.value
                if word is not Vote.UNDECIDED:
                    model.heard.add((path, who))
            model.follow_votes(approve=True)

    # Whole stretches of the usual way, so that chance gets to its far end often.

    @rule(who=st.sampled_from(CHECKERS), word=st.sampled_from([*Vote, Vote.APPROVED]))
    def vote_on_all_that_is_left(self, who: str, word: Vote) -> None:
        self.vote(who, set(self.model.files), word, "seen", "known")

    @rule(
        first=st.sampled_from(CHECKERS),
        second=st.sampled_from(CHECKERS),
        words=st.tuples(st.sampled_from(Vote), st.sampled_from(Vote)),
    )
    def two_vote(self, first: str, second: str, words: tuple[Vote, Vote]) -> None:
        self.vote_on_all_that_is_left(first, words[0])
        self.vote_on_all_that_is_left(second, words[1])

    @rule(checker=st.sampled_from(CHECKERS), author=st.sampled_from(AUTHORS), failing=st.booleans())
    def go_round_again(self, checker: str, author: str, failing: bool) -> None:
        self.decide(checker, A.RETURN)
        self.ask_again(author, "ana")
        self.submit({ONE} if failing else set())

    @rule(who=PEOPLE)
    def approve(self, who: str) -> None:
        some = any(self.model.decision(path) == "APPROVED" for path in self.model.files)
        allowed = self.model.can("approve") and some and who not in self.model.authors
        if self.attempt(lambda: approved_in_part(self.request, who, at=self.now), allowed=allowed):
            self.model.do("approve")

    @rule(who=PEOPLE, action=st.sampled_from([A.RETURN, A.REJECT]))
    def decide(self, who: str, action: ReleaseAction) -> None:
        allowed = self.model.can(action.value) and who not in self.model.authors
        if self.attempt(
            lambda: decided(self.request, action, who, at=self.now, reason="so"), allowed=allowed
        ):
            self.model.do(action.value)

    @rule(action=st.sampled_from([A.REVOKE, A.RELEASE]))
    def release_or_revoke(self, action: ReleaseAction) -> None:
        if self.attempt(
            lambda: acted(self.request, action, by="ida", at=self.now), allowed=self.model.can(action.value)
        ):
            self.model.do(action.value)

    @rule(who=PEOPLE, really=st.sampled_from([False, False, False, True]))
    def withdraw(self, who: str, really: bool) -> None:
        if not really and who in self.model.authors:
            return  # it ends there, and there is more to try
        allowed = self.model.can("withdraw") and who in self.model.authors
        if self.attempt(lambda: withdrawn(self.request, who, at=self.now), allowed=allowed):
            self.model.do("withdraw")

    @rule(who=PEOPLE, path=st.sampled_from(PATHS))
    def withdraw_file(self, who: str, path: str) -> None:
        model = self.model
        allowed = model.can("withdraw a file") and who in model.authors
        allowed = allowed and path in model.files and len(model.files) > 1

        def change() -> ReleaseRequest:
            after = file_withdrawn(self.request, who, path, at=self.now)
            return moved_by_votes(after, self.now, approve=False)

        if self.attempt(change, allowed=allowed):
            model.files.discard(path)
            if model.complete and model.state == "PARTIALLY_REVIEWED":
                model.state = "REVIEWED"

    @rule(who=st.sampled_from(AUTHORS), launcher=st.sampled_from(["ana", "cleo"]))
    def ask_again(self, who: str, launcher: str) -> None:
        if self.attempt(
            lambda: asked_again(
                self.request,
                by=who,
                policy=self.request.policy,
                groups=self.request.groups,
                files=tuple(frozen(path) for path in PATHS),
                runs=(RunOrigin("run-2", launched_by=launcher),),
                at=self.now,
            ),
            allowed=self.model.can("request"),
        ):
            model = self.model
            model.do("request")
            model.turn += 1
            model.authors |= {launcher}
            model.files, model.words, model.heard = set(PATHS), {}, set()

    @rule(who=PEOPLE, visibility=st.sampled_from(CommentVisibility))
    def comment(self, who: str, visibility: CommentVisibility) -> None:
        checker = who in CHECKERS and who not in self.model.authors
        self.attempt(
            lambda: commented(
                self.request, who, "hm", visibility, checker=checker, group="default", at=self.now
            ),
            allowed=checker or visibility is CommentVisibility.PUBLIC,
        )

    # What must hold

    def views(self) -> list[tuple[str, ReleaseView]]:
        people = (*AUTHORS, *CHECKERS, "ida")
        return [(who, seen_by(self.request, who, checker=who in CHECKERS)) for who in people]

    @invariant()
    def the_model_agrees(self) -> None:
        request, model = self.request, self.model
        assert (request.state.value, request.turn) == (model.state, model.turn)
        assert {file.path for file in request.outputs()} == model.files
        assert request.phase().value == model.phase
        assert request.authors == model.authors
        assert {path: request.decision_on(path).value for path in model.files} == {
            path: model.decision(path) for path in model.files
        }

    @invariant()
    def authors_have_no_vote_in_a_turn_of_theirs(self) -> None:
        present = {vote.checker for vote in self.request.votes if vote.turn == self.request.turn}
        assert not present & self.request.authors

    @invariant()
    def what_may_leave_was_approved_by_enough_checkers(self) -> None:
        if self.request.state not in (S.APPROVED, S.RELEASED):
            return
        assert self.request.approved_files()
        for file in self.request.approved_files():
            assert file.kind is FileKind.OUTPUT
            approvals = [
                vote
                for vote in self.request.votes
                if (vote.turn, vote.path, vote.vote) == (self.request.turn, file.path, Vote.APPROVED)
            ]
            assert len({vote.checker for vote in approvals}) >= self.request.policy.votes
            assert all(vote.justification for vote in approvals if file.path in self.failed)

    @invariant()
    def nobody_learns_of_anothers_vote_while_independent(self) -> None:
        """Not from votes, replaced votes, decisions, the state, private comments or the history."""
        request = self.request
        if request.phase() is not ReviewPhase.INDEPENDENT:
            return
        for who, view in self.views():
            shown = (*view.votes, *view.request.replaced_votes)
            assert {vote.checker for vote in shown if vote.turn == request.turn} <= {who}
            assert set(view.decisions.values()) <= {Decision.INCOMPLETE}
            others = [c for c in view.comments if c.turn == request.turn and c.by != who]
            assert all(c.visibility is CommentVisibility.PUBLIC for c in others)
            told = [event for event in history_of(view) if event.what.startswith("voted")]
            assert {event.by for event in told if event.turn == request.turn} <= {who}
            if request.state in UNDER_REVIEW:
                assert all(c.by in request.authors for c in others)
                own = any(vote.checker == who and vote.turn == request.turn for vote in request.votes)
                assert view.request.state is (S.PARTIALLY_REVIEWED if own else S.SUBMITTED)
            assert view.request.decided_by is None or request.state not in UNDER_REVIEW

    @invariant()
    def a_sealed_turn_is_not_opened_by_returning_it(self) -> None:
        request = self.request
        last_opened = max((turn.turn for turn in request.ended_turns if turn.opened), default=0)
        sealed = set(range(last_opened + 1, request.turn))
        if request.phase() is not ReviewPhase.INDEPENDENT:
            return
        for who, view in self.views():
            assert all(vote.checker == who for vote in view.votes if vote.turn in sealed)

    @invariant()
    def authors_see_no_private_comment_of_a_checker(self) -> None:
        for who in self.request.authors:
            view = seen_by(self.request, who, checker=True)
            assert all(c.by == who or c.visibility is CommentVisibility.PUBLIC for c in view.comments)

    @invariant()
    def what_a_checker_has_seen_stays_seen(self) -> None:
        """Blindness does not come back within a turn: who has seen the votes cannot become blind."""
        for who, view in self.views():
            now = frozenset((vote.turn, vote.checker, vote.path) for vote in view.votes)
            if who in CHECKERS and who not in self.request.authors:
                assert self.seen.get(who, frozenset()) <= now
            self.seen[who] = now

    @invariant()
    def history_is_kept(self) -> None:
        request = self.request
        assert [turn.turn for turn in request.ended_turns] == list(range(1, request.turn))
        keys = [(vote.turn, vote.path, vote.checker) for vote in request.votes]
        assert len(keys) == len(set(keys))
        assert shown_state(request, "chris") in (request.state, S.SUBMITTED)


TestReleaseMachine = ReleaseMachine.TestCase
TestReleaseMachine.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
