"""What one person may see of a release request: checkers are blind to each other while INDEPENDENT.

Hidden are votes and comments of others, and the decisions that would give the votes away. A person
who is not a checker of the request sees votes only when the review is over.
"""

from __future__ import annotations

from dataclasses import dataclass

from phems.domain.release_states import UNDER_REVIEW
from phems.domain.releases import CastVote, Comment, CommentVisibility, ReleaseRequest
from phems.domain.votes import Decision, ReviewPhase


@dataclass(frozen=True)
class ReleaseView:
    """A release request as one person sees it; `request.votes` and `.comments` are not for showing."""

    request: ReleaseRequest
    phase: ReviewPhase
    decisions: dict[str, Decision]
    votes: tuple[CastVote, ...]
    comments: tuple[Comment, ...]


def seen_by(request: ReleaseRequest, viewer: str, *, checker: bool) -> ReleaseView:
    """The request for `viewer`, who is or is not an Output Checker of the project.

    An author is never shown the request as a checker, whatever roles they hold.
    """
    reviewing = request.state in UNDER_REVIEW
    as_checker = checker and viewer not in request.authors
    blind = reviewing and (not as_checker or request.phase() is ReviewPhase.INDEPENDENT)
    paths = [file.path for file in request.outputs()]
    decisions = {path: Decision.INCOMPLETE if blind else request.decision_on(path) for path in paths}
    return ReleaseView(
        request=request,
        phase=request.phase(),
        decisions=decisions,
        votes=tuple(vote for vote in request.votes if _vote_shows(request, vote, viewer, blind=blind)),
        comments=tuple(
            comment
            for comment in request.comments
            if _comment_shows(request, comment, viewer, as_checker=as_checker)
        ),
    )


def _vote_shows(request: ReleaseRequest, vote: CastVote, viewer: str, *, blind: bool) -> bool:
    return vote.checker == viewer or vote.turn < request.turn or not blind


def _comment_shows(request: ReleaseRequest, comment: Comment, viewer: str, *, as_checker: bool) -> bool:
    if comment.by == viewer:
        return True
    if comment.visibility is CommentVisibility.PRIVATE and not as_checker:
        return False
    # What an author writes sways no checker against another; what a checker writes may.
    independent = request.state in UNDER_REVIEW and request.phase() is ReviewPhase.INDEPENDENT
    return comment.by in request.authors or comment.turn < request.turn or not independent
