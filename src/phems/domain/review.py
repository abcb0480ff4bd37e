"""What Output Checkers do with a release request: vote on its files, decide, give it back.

Votes move the state; only files that enough checkers approved are released; an author does neither.
A check is not a decision: what an output check failed can be approved, but only with a written reason,
or, where the policy says `block`, not at all. While the review is INDEPENDENT a checker changes their
vote freely; once they have seen the others', they say why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from phems.domain.release_states import UNDER_REVIEW, ReleaseAction, ReleaseState
from phems.domain.releases import CastVote, FileKind, ReleaseRequest, acted, see
from phems.domain.votes import ReviewPhase, Vote
from phems.errors import InputError, RefusedError, StaleError


@dataclass(frozen=True)
class Ballot:
    """What a checker says of one file."""

    path: str
    vote: Vote
    justification: str = ""
    """Needed to approve a file that an output check failed."""
    reason: str = ""
    """Needed to change a vote after seeing the others'."""


def check_not_author(request: ReleaseRequest, person: str, deed: str) -> None:
    """Raise `RefusedError` when `person` is an author of the request; `deed` says what they wanted."""
    if person in request.authors:
        raise RefusedError(
            f"{person} cannot {deed} the release request {request.id}.",
            why="its author cannot: the author asked for the release or launched the run.",
            remedy=f"Ask an Output Checker of {request.project} who is not an author.",
        )


def check_may_vote(request: ReleaseRequest, checker: str) -> None:
    """Raise `RefusedError` unless a vote of `checker` would count now."""
    if request.state not in UNDER_REVIEW:
        raise RefusedError(
            f"The release request {request.id} takes no votes now.",
            why=f"it is {request.state.value}; votes are possible in: {', '.join(UNDER_REVIEW)}.",
            remedy=see(request),
        )
    check_not_author(request, checker, "vote on")


def check_turn(request: ReleaseRequest, reviewed: int | None) -> None:
    """Raise `StaleError` unless `reviewed` is the present turn, or unsaid: another turn has other files."""
    if reviewed is not None and reviewed != request.turn:
        raise StaleError(
            f"The release request {request.id} is not the one that was reviewed.",
            why=f"turn {reviewed} was; it is in turn {request.turn}, with files of its own.",
            remedy=see(request),
        )


def may_vote(request: ReleaseRequest, checker: str) -> bool:
    """Whether a vote of `checker` would count now."""
    try:
        check_may_vote(request, checker)
    except RefusedError:
        return False
    return True


def voted(
    request: ReleaseRequest,
    checker: str,
    ballots: Iterable[Ballot],
    *,
    at: datetime,
    failed: Collection[str] = (),
    barred: Collection[str] = (),
    finish: Callable[[CastVote], CastVote] = lambda vote: vote,
) -> ReleaseRequest:
    """The request with `checker`'s votes, each replacing an earlier one, and the state they lead to.

    `failed` are the paths of the files that an output check failed, `barred` those of them that no reason
    lets go; `finish` signs and seals a vote that is allowed. Raises `RefusedError` or `InputError` for one
    that is not.
    """
    check_may_vote(request, checker)
    allowed = {ballot.path: _cast(request, checker, ballot, at, failed, barred) for ballot in ballots}
    cast = {path: finish(vote) for path, vote in allowed.items()}
    kept: list[CastVote] = []
    replaced = list(request.replaced_votes)
    for vote in request.votes:
        stands = vote.turn != request.turn or vote.checker != checker or vote.path not in cast
        (kept if stands else replaced).append(vote)
    after = replace(request, votes=(*kept, *cast.values()), replaced_votes=tuple(replaced))
    return moved_by_votes(after, at)


def _cast(
    request: ReleaseRequest,
    checker: str,
    ballot: Ballot,
    at: datetime,
    failed: Collection[str],
    barred: Collection[str],
) -> CastVote:
    file = request.file(ballot.path)
    if file.kind is not FileKind.OUTPUT:
        raise RefusedError(
            f"A file of the release request {request.id} takes no votes.",
            why=f"it is a {file.kind.value} file; outputs alone are voted on and released.",
            remedy=see(request),
        )
    if ballot.vote is Vote.APPROVED and ballot.path in barred:
        raise RefusedError(
            f"A file of the release request {request.id} cannot be approved.",
            why="it is not what it says it is, or a picture that carries more: no reason lets it go.",
            remedy=f"Request changes to it: phems release vote {request.id} --changes FILE",
        )
    if ballot.vote is Vote.APPROVED and ballot.path in failed:
        _check_failed_file(request, ballot)
    _check_change(request, checker, ballot)
    return CastVote(
        ballot.path,
        checker,
        ballot.vote,
        at,
        request.turn,
        justification=ballot.justification.strip(),
        reason=ballot.reason.strip(),
    )


def _check_failed_file(request: ReleaseRequest, ballot: Ballot) -> None:
    if request.policy.on_fail == "block":
        raise RefusedError(
            f"A file of the release request {request.id} cannot be approved.",
            why=f"it failed an output check, and the policy '{request.policy.name}' blocks such files.",
            remedy=f"Request changes to it: phems release vote {request.id} --changes FILE",
        )
    if not ballot.justification.strip():
        raise InputError(
            f"A justification is missing to approve a file of the release request {request.id}.",
            why=f"{ballot.path!r} failed an output check: phems release show {request.id}",
            remedy=f'phems release vote {request.id} --approve FILE --justification "..."',
        )


def _check_change(request: ReleaseRequest, checker: str, ballot: Ballot) -> None:
    if request.phase() is ReviewPhase.INDEPENDENT or ballot.reason.strip():
        return
    before = request.votes_on(ballot.path).get(checker)
    if before is not None and before is not ballot.vote:
        raise InputError(
            f"A reason is missing to change a vote on the release request {request.id}.",
            why="the checkers have seen each other's votes by now.",
            remedy=f'Add it: phems release vote {request.id} ... --reason "..."',
        )


def moved_by_votes(request: ReleaseRequest, at: datetime, *, approve: bool = True) -> ReleaseRequest:
    """Follow the votes: begin, complete or reopen the review; with `approve`, approve it when all files are.

    An author who takes a file out completes a review perhaps, but approves nothing: `approve` is False.
    """
    complete = request.phase() is ReviewPhase.COMPLETE
    cast = any(request.votes_on(file.path) for file in request.outputs())
    moved = request
    for source, due, action in (
        (ReleaseState.REVIEWED, not complete, ReleaseAction.REOPEN_REVIEW),
        (ReleaseState.SUBMITTED, cast and not complete, ReleaseAction.BEGIN_REVIEW),
        (ReleaseState.SUBMITTED, complete, ReleaseAction.COMPLETE_REVIEW),
        (ReleaseState.PARTIALLY_REVIEWED, complete, ReleaseAction.COMPLETE_REVIEW),
        (ReleaseState.REVIEWED, approve and complete and all_approved(request), ReleaseAction.APPROVE),
    ):
        if moved.state is source and due:
            moved = acted(moved, action, by="system", at=at)
    return moved


def all_approved(request: ReleaseRequest) -> bool:
    """Whether every output of the request is approved (a request without outputs is not)."""
    return bool(request.outputs()) and request.approved_files() == request.outputs()


def approved_in_part(
    request: ReleaseRequest, checker: str, *, at: datetime, reason: str = ""
) -> ReleaseRequest:
    """The request after a checker lets its approved files go without the others."""
    check_not_author(request, checker, "approve")
    approved = acted(request, ReleaseAction.APPROVE, by=checker, at=at, reason=reason)
    if not request.approved_files():
        raise RefusedError(
            f"The release request {request.id} cannot be approved.",
            why="none of its files has been approved by enough checkers.",
            remedy=f'Return or reject it: phems release return {request.id} --reason "..."',
        )
    return approved


def decided(
    request: ReleaseRequest, action: ReleaseAction, checker: str, *, at: datetime, reason: str
) -> ReleaseRequest:
    """The request after a checker rejects or returns it as a whole."""
    check_not_author(request, checker, action.value)
    return acted(request, action, by=checker, at=at, reason=reason)


def annulled(request: ReleaseRequest, problems: Mapping[CastVote, str], *, at: datetime) -> ReleaseRequest:
    """The request with votes that count no more taken back on their checkers' behalf, each with its reason.

    A vote counts no more when its signature does not, or its checker may no longer vote.
    """
    if not problems:
        return request
    back = tuple(
        replace(vote, vote=Vote.UNDECIDED, at=at, justification="", reason=why, signature=None, nonce="")
        for vote, why in problems.items()
    )
    kept = tuple(vote for vote in request.votes if vote not in problems)
    after = replace(request, votes=(*kept, *back), replaced_votes=(*request.replaced_votes, *problems.keys()))
    return moved_by_votes(after, at, approve=False)
