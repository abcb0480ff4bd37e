"""Release requests: their states, and the rules on who may vote, submit, decide and take back.

What the state allows is a table (`RELEASE_REQUESTS`); who holds which role is `permissions`; this
module holds what stands between the two: the author never votes or decides, votes move the state,
and only files that were approved are released.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from phems.domain.release_states import DECIDING, RELEASE_REQUESTS, UNDER_REVIEW, ReleaseAction, ReleaseState
from phems.domain.votes import Decision, ReviewPhase, Vote, file_decision, review_phase
from phems.errors import NotFoundError, RefusedError


class FileKind(StrEnum):
    """What a file of a request is for; outputs alone are voted on and released."""

    OUTPUT = "output"
    SUPPORTING = "supporting"
    CODE = "code"
    WITHDRAWN = "withdrawn"


class CommentVisibility(StrEnum):
    """PUBLIC comments reach the author; PRIVATE ones stay among the checkers."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


@dataclass(frozen=True)
class FileGroup:
    """Files that belong together: what they are (context), and how disclosure was avoided (controls)."""

    name: str
    context: str
    controls: str


@dataclass(frozen=True)
class FrozenFile:
    """An output as it was when the request was submitted: these bytes are reviewed and released."""

    path: str
    sha256: str
    size: int
    media_type: str
    run_id: str
    step_key: str
    group: str = "default"
    kind: FileKind = FileKind.OUTPUT
    declaration: Mapping[str, Any] | None = field(default=None, hash=False)
    """What its author declared when it was registered (see `phems.contract.disclosure`)."""


@dataclass(frozen=True)
class RunOrigin:
    """Where outputs come from: the run, who launched it, the code revision and the capsule it ran."""

    run_id: str
    launched_by: str | None = None
    commit: str | None = None
    digest: str | None = None
    capsule: str | None = None


@dataclass(frozen=True)
class CastVote:
    """One checker's vote on one file in one turn."""

    path: str
    checker: str
    vote: Vote
    at: datetime
    turn: int


@dataclass(frozen=True)
class Comment:
    """A remark on a request."""

    by: str
    text: str
    visibility: CommentVisibility
    at: datetime
    turn: int


@dataclass(frozen=True)
class ReleasePolicy:
    """The policy a turn is reviewed under, as it was at submission. Sizes in bytes."""

    name: str
    votes: int
    file_types: tuple[str, ...]
    max_file_size: int


@dataclass(frozen=True)
class ReleaseRequest:
    """A request that outputs leave the node. `files` are those of the present turn."""

    id: str
    project: str
    requester: str
    authors: frozenset[str]
    policy: ReleasePolicy
    requested_at: datetime
    groups: tuple[FileGroup, ...]
    files: tuple[FrozenFile, ...]
    runs: tuple[RunOrigin, ...]
    state: ReleaseState = ReleaseState.PENDING
    turn: int = 1
    votes: tuple[CastVote, ...] = ()
    comments: tuple[Comment, ...] = ()
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""
    released_at: datetime | None = None
    package_digest: str | None = None

    def outputs(self) -> tuple[FrozenFile, ...]:
        """The files that are voted on."""
        return tuple(file for file in self.files if file.kind is FileKind.OUTPUT)

    def votes_on(self, path: str) -> dict[str, Vote]:
        """The present turn's votes on one file, by checker."""
        return {
            cast.checker: cast.vote for cast in self.votes if cast.path == path and cast.turn == self.turn
        }

    def decision_on(self, path: str) -> Decision:
        """What the votes on one file amount to."""
        return file_decision(self.votes_on(path), self.policy.votes)

    def phase(self) -> ReviewPhase:
        """How far the review is."""
        return review_phase((self.votes_on(file.path) for file in self.outputs()), self.policy.votes)

    def approved_files(self) -> tuple[FrozenFile, ...]:
        """The files that may leave."""
        return tuple(file for file in self.outputs() if self.decision_on(file.path) is Decision.APPROVED)


def request_id(random: bytes) -> str:
    """A name for a new request, from five random bytes: `rr-` and eight base-32 characters."""
    return "rr-" + base64.b32encode(random[:5].ljust(5, b"\0")).decode().lower()


def _see(request: ReleaseRequest) -> str:
    return f"See it with: phems release show {request.id}"


def acted(
    request: ReleaseRequest, action: ReleaseAction, *, by: str, at: datetime, reason: str = ""
) -> ReleaseRequest:
    """The request after `action`, if its state allows it.

    Who decided, when and why is kept with the request, until a new turn or vote opens it again.
    """
    state = RELEASE_REQUESTS.after(request.state, action, name=request.id, remedy=_see(request))
    if action is ReleaseAction.RELEASE:
        return replace(request, state=state, released_at=at)
    if action in DECIDING:
        return replace(request, state=state, decided_by=by, decided_at=at, reason=reason)
    return replace(request, state=state, decided_by=None, decided_at=None, reason="")


def submitted_again(
    request: ReleaseRequest,
    *,
    by: str,
    policy: ReleasePolicy,
    groups: tuple[FileGroup, ...],
    files: tuple[FrozenFile, ...],
    runs: tuple[RunOrigin, ...],
    at: datetime,
) -> ReleaseRequest:
    """A returned request in its next turn: new files, votes afresh, earlier authors still authors."""
    again = acted(request, ReleaseAction.SUBMIT, by=by, at=at)
    return replace(
        again,
        turn=request.turn + 1,
        authors=request.authors | authors_of(by, runs),
        policy=policy,
        groups=groups,
        files=files,
        runs=runs,
    )


def authors_of(requester: str, runs: Iterable[RunOrigin]) -> frozenset[str]:
    """Who counts as an author: the requester and everyone who launched one of the runs."""
    return frozenset({requester} | {run.launched_by for run in runs if run.launched_by})


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
            remedy=_see(request),
        )
    check_not_author(request, checker, "vote on")


def may_vote(request: ReleaseRequest, checker: str) -> bool:
    """Whether a vote of `checker` would count now."""
    try:
        check_may_vote(request, checker)
    except RefusedError:
        return False
    return True


def voted(
    request: ReleaseRequest, checker: str, votes: Iterable[tuple[str, Vote]], *, at: datetime
) -> ReleaseRequest:
    """The request with `checker`'s votes, each replacing an earlier one, and the state they lead to."""
    check_may_vote(request, checker)
    known = {file.path for file in request.outputs()}
    cast = {path: CastVote(path, checker, vote, at, request.turn) for path, vote in votes}
    for path in cast:
        if path not in known:
            raise NotFoundError(
                f"The release request {request.id} has no file {path!r}.",
                why=f"its files are: {', '.join(sorted(known))}.",
                remedy=_see(request),
            )
    kept = tuple(
        vote
        for vote in request.votes
        if not (vote.turn == request.turn and vote.checker == checker and vote.path in cast)
    )
    return _moved_by_votes(replace(request, votes=(*kept, *cast.values())), at)


def _moved_by_votes(request: ReleaseRequest, at: datetime) -> ReleaseRequest:
    """Follow the votes: begin, complete or reopen the review; approve when every file is approved."""
    complete = request.phase() is ReviewPhase.COMPLETE
    cast = any(request.votes_on(file.path) for file in request.outputs())
    moved = request
    for source, due, action in (
        (ReleaseState.REVIEWED, not complete, ReleaseAction.REOPEN_REVIEW),
        (ReleaseState.SUBMITTED, cast and not complete, ReleaseAction.BEGIN_REVIEW),
        (ReleaseState.SUBMITTED, complete, ReleaseAction.COMPLETE_REVIEW),
        (ReleaseState.PARTIALLY_REVIEWED, complete, ReleaseAction.COMPLETE_REVIEW),
        (ReleaseState.REVIEWED, complete and all_approved(request), ReleaseAction.APPROVE),
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


def withdrawn(request: ReleaseRequest, person: str, *, at: datetime, reason: str = "") -> ReleaseRequest:
    """The request after one of its authors takes it back, which is possible until it is released."""
    if person not in request.authors:
        raise RefusedError(
            f"{person} cannot withdraw the release request {request.id}.",
            why="only its authors can.",
            remedy=f'Return or reject it instead: phems release return {request.id} --reason "..."',
        )
    return acted(request, ReleaseAction.WITHDRAW, by=person, at=at, reason=reason)
