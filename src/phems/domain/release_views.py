"""What one person may see of a release request: checkers are blind to each other while INDEPENDENT.

Hidden are votes and comments of others, the decisions and the state that would give the votes away, and
that there are any. The rules:

1. Everybody sees their own votes and comments.
2. Votes of the present turn show to checkers once its blind phase is over, to others once the review is.
3. Votes of an earlier turn show once its blind phase was over. A turn that was returned before that stays
   sealed until a later one is opened: or a return would be a way to look.
4. PRIVATE comments show to checkers alone, and to them as votes do. A PUBLIC comment of a checker shows
   when votes do, or when the turn is over; one of an author shows at once.
5. An author is never shown the request as a checker, whatever roles they hold.

The view's `request` holds nothing else: whoever shows it cannot show too much.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from phems.domain.output_checks import CheckReport
from phems.domain.release_states import UNDER_REVIEW
from phems.domain.releases import (
    CastVote,
    Comment,
    CommentVisibility,
    FrozenFile,
    ReleaseRequest,
    see,
    shown_state,
)
from phems.domain.votes import Decision, ReviewPhase
from phems.errors import NotFoundError


@dataclass(frozen=True)
class ReleaseView:
    """A release request as one person sees it; `decisions` is by path of the outputs."""

    request: ReleaseRequest
    phase: ReviewPhase
    decisions: dict[str, Decision]
    report: CheckReport | None = None
    """What the output checks found; None for who is neither author nor checker, and before they ran."""

    @property
    def votes(self) -> tuple[CastVote, ...]:
        """The votes that may be seen, of all turns."""
        return self.request.votes

    @property
    def comments(self) -> tuple[Comment, ...]:
        """The comments that may be seen, of all turns."""
        return self.request.comments


@dataclass(frozen=True)
class _Sight:
    """What a viewer's eyes reach: computed once from the whole request."""

    viewer: str
    authors: Collection[str]
    turn: int
    as_checker: bool
    reviewing: bool
    blind: bool
    open_turns: frozenset[int]

    def vote(self, vote: CastVote) -> bool:
        return vote.checker == self.viewer or vote.turn in self.open_turns

    def comment(self, comment: Comment) -> bool:
        if comment.by == self.viewer:
            return True
        if comment.visibility is CommentVisibility.PRIVATE:
            return self.as_checker and comment.turn in self.open_turns
        # What an author writes sways no checker against another; what a checker writes may.
        over = comment.turn < self.turn or not (self.reviewing and self.blind)
        return comment.by in self.authors or over


def seen_by(
    request: ReleaseRequest, viewer: str, *, checker: bool, report: CheckReport | None = None
) -> ReleaseView:
    """The request for `viewer`, who is or is not an Output Checker of the project."""
    sight = _sight(request, viewer, checker=checker)
    shown = _redacted(request, sight)
    reads_findings = sight.as_checker or viewer in request.authors
    open_now = request.turn in sight.open_turns
    return ReleaseView(
        request=shown,
        phase=request.phase(),
        decisions={
            file.path: request.decision_on(file.path) if open_now else Decision.INCOMPLETE
            for file in request.outputs()
        },
        report=report if reads_findings else None,
    )


def seen_at_turn(
    request: ReleaseRequest,
    viewer: str,
    turn: int,
    files: Sequence[FrozenFile],
    *,
    checker: bool,
    report: CheckReport | None = None,
) -> ReleaseView:
    """An earlier turn of the request, with its files, as it ended and as `viewer` may see it today."""
    ended = {earlier.turn: earlier for earlier in request.ended_turns}
    if turn not in ended:
        known = ", ".join(map(str, [*sorted(ended), request.turn]))
        raise NotFoundError(
            f"The release request {request.id} has no turn {turn}.",
            why=f"it has: {known}.",
            remedy=see(request),
        )
    sight = _sight(request, viewer, checker=checker)
    then = ended[turn]
    whole = replace(
        _redacted(request, sight),
        turn=turn,
        asked_by=then.asked_by,
        asked_at=then.asked_at,
        policy=then.policy,
        groups=then.groups,
        runs=then.runs,
        files=tuple(files),
        state=then.state,
        decided_by=then.decided_by,
        decided_at=then.decided_at,
        reason=then.reason,
        ended_turns=tuple(earlier for earlier in request.ended_turns if earlier.turn < turn),
    )
    whole = _until(whole, turn)
    open_then = turn in sight.open_turns
    return ReleaseView(
        request=whole,
        phase=whole.phase() if open_then else ReviewPhase.INDEPENDENT,
        decisions={
            file.path: whole.decision_on(file.path) if open_then else Decision.INCOMPLETE
            for file in whole.outputs()
        },
        report=report if sight.as_checker or viewer in request.authors else None,
    )


def _sight(request: ReleaseRequest, viewer: str, *, checker: bool) -> _Sight:
    as_checker = checker and viewer not in request.authors
    reviewing = request.state in UNDER_REVIEW
    blind = request.phase() is ReviewPhase.INDEPENDENT
    last = max((ended.turn for ended in request.ended_turns if ended.opened), default=0)
    if not blind and (as_checker or not reviewing):
        last = request.turn
    # A turn that is opened opens those before it, and what was open stays so.
    open_turns = frozenset(range(1, last + 1))
    return _Sight(viewer, request.authors, request.turn, as_checker, reviewing, blind, open_turns)


def _redacted(request: ReleaseRequest, sight: _Sight) -> ReleaseRequest:
    return replace(
        request,
        state=shown_state(request, sight.viewer),
        votes=tuple(filter(sight.vote, request.votes)),
        replaced_votes=tuple(filter(sight.vote, request.replaced_votes)),
        comments=tuple(filter(sight.comment, request.comments)),
    )


def _until(request: ReleaseRequest, turn: int) -> ReleaseRequest:
    return replace(
        request,
        votes=tuple(vote for vote in request.votes if vote.turn <= turn),
        replaced_votes=tuple(vote for vote in request.replaced_votes if vote.turn <= turn),
        comments=tuple(comment for comment in request.comments if comment.turn <= turn),
    )
