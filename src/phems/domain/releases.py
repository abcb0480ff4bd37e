"""Release requests: what they hold, and how their authors make them, take files out and take them back.

What the state allows is a table (`RELEASE_REQUESTS`); who holds which role is `permissions`; what
checkers do is `review`; what each person gets to see is `release_views`. A request lives in turns: each
freezes files anew and is voted on afresh, and what an earlier turn held is kept.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from phems.domain.approvals import Signature
from phems.domain.release_states import DECIDING, RELEASE_REQUESTS, ReleaseAction, ReleaseState
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
    """A file as it was when the request was made: these bytes are reviewed and released."""

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
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None


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
    justification: str = ""
    """Why the file may go although an output check failed it."""
    reason: str = ""
    """Why the checker changed their vote after seeing the others'."""
    policy_version: str = ""
    signature: Signature | None = None
    nonce: str = ""
    """What seals the vote in the audit log while checkers are blind (see `sealed_votes`)."""


@dataclass(frozen=True)
class Comment:
    """A remark on a request, or on one of its file groups."""

    by: str
    text: str
    visibility: CommentVisibility
    at: datetime
    turn: int
    group: str | None = None


@dataclass(frozen=True)
class ReleasePolicy:
    """The policy a turn is reviewed under, as it was when the turn began. Sizes in bytes."""

    name: str
    votes: int
    file_types: tuple[str, ...]
    max_file_size: int
    on_fail: str = "justify"
    """What becomes of a file that an output check failed: `justify` or `block`."""


@dataclass(frozen=True)
class EndedTurn:
    """An earlier turn of a request, as it ended. `opened` says whether its blind phase had ended."""

    turn: int
    asked_by: str
    asked_at: datetime
    policy: ReleasePolicy
    groups: tuple[FileGroup, ...]
    runs: tuple[RunOrigin, ...]
    state: ReleaseState
    opened: bool
    decided_by: str | None
    decided_at: datetime | None
    reason: str


@dataclass(frozen=True)
class ReleaseRequest:
    """A request that outputs leave the node. `files`, `groups` and `runs` are those of the present turn."""

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
    """The votes that stand, of all turns: one for each turn, file and checker."""
    comments: tuple[Comment, ...] = ()
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""
    released_at: datetime | None = None
    package_digest: str | None = None
    asked_by: str = ""
    """Who began the present turn; empty when it was the requester."""
    asked_at: datetime | None = None
    replaced_votes: tuple[CastVote, ...] = ()
    """Votes that their checkers changed, oldest first."""
    ended_turns: tuple[EndedTurn, ...] = ()

    def outputs(self) -> tuple[FrozenFile, ...]:
        """The files that are voted on."""
        return tuple(file for file in self.files if file.kind is FileKind.OUTPUT)

    def file(self, path: str) -> FrozenFile:
        """A file of the present turn; raises `NotFoundError`."""
        for file in self.files:
            if file.path == path:
                return file
        raise NotFoundError(
            f"The release request {self.id} has no file {path!r}.",
            why=f"its files are: {', '.join(sorted(file.path for file in self.files))}.",
            remedy=see(self),
        )

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
        paths = [file.path for file in self.outputs()]
        return review_phase(map(self.votes_on, paths), map(self._heard_on, paths), self.policy.votes)

    def _heard_on(self, path: str) -> frozenset[str]:
        return frozenset(
            cast.checker
            for cast in (*self.votes, *self.replaced_votes)
            if cast.path == path and cast.turn == self.turn and cast.vote is not Vote.UNDECIDED
        )

    def approved_files(self) -> tuple[FrozenFile, ...]:
        """The files that may leave."""
        return tuple(file for file in self.outputs() if self.decision_on(file.path) is Decision.APPROVED)


def request_id(random: bytes) -> str:
    """A name for a new request, from five random bytes: `rr-` and eight base-32 characters."""
    return "rr-" + base64.b32encode(random[:5].ljust(5, b"\0")).decode().lower()


def see(request: ReleaseRequest) -> str:
    """The remedy that fits most refusals: look at it."""
    return f"See it with: phems release show {request.id}"


def shown_state(request: ReleaseRequest, viewer: str) -> ReleaseState:
    """The state as one person may know it: that others have begun to vote is no business of who has not.

    The two states allow people the same actions, so that a refusal tells them apart no better.
    """
    if request.state is not ReleaseState.PARTIALLY_REVIEWED or request.phase() is not ReviewPhase.INDEPENDENT:
        return request.state
    own = any(cast.checker == viewer and cast.turn == request.turn for cast in request.votes)
    return request.state if own else ReleaseState.SUBMITTED


def acted(
    request: ReleaseRequest, action: ReleaseAction, *, by: str, at: datetime, reason: str = ""
) -> ReleaseRequest:
    """The request after `action`, if its state allows it.

    Who decided, when and why is kept with the request, until a new turn or vote opens it again.
    """
    if not RELEASE_REQUESTS.allows(request.state, action):
        RELEASE_REQUESTS.after(shown_state(request, by), action, name=request.id, remedy=see(request))
    state = RELEASE_REQUESTS.after(request.state, action, name=request.id, remedy=see(request))
    if action is ReleaseAction.RELEASE:
        return replace(request, state=state, released_at=at)
    if action in DECIDING:
        return replace(request, state=state, decided_by=by, decided_at=at, reason=reason)
    return replace(request, state=state, decided_by=None, decided_at=None, reason="")


def asked_again(
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
    again = acted(request, ReleaseAction.REQUEST, by=by, at=at)
    ended = EndedTurn(
        turn=request.turn,
        asked_by=request.asked_by or request.requester,
        asked_at=request.asked_at or request.requested_at,
        policy=request.policy,
        groups=request.groups,
        runs=request.runs,
        state=request.state,
        opened=request.phase() is not ReviewPhase.INDEPENDENT,
        decided_by=request.decided_by,
        decided_at=request.decided_at,
        reason=request.reason,
    )
    return replace(
        again,
        turn=request.turn + 1,
        asked_by=by,
        asked_at=at,
        authors=request.authors | authors_of(by, runs),
        policy=policy,
        groups=groups,
        files=files,
        runs=runs,
        ended_turns=(*request.ended_turns, ended),
    )


def authors_of(requester: str, runs: Iterable[RunOrigin]) -> frozenset[str]:
    """Who counts as an author: the requester and everyone who launched one of the runs."""
    return frozenset({requester} | {run.launched_by for run in runs if run.launched_by})


def check_author(request: ReleaseRequest, person: str, deed: str, remedy: str) -> None:
    """Raise `RefusedError` unless `person` is an author of the request; `deed` says what they wanted."""
    if person not in request.authors:
        raise RefusedError(
            f"{person} cannot {deed} the release request {request.id}.",
            why="only its authors can: who asked for the release or launched the run.",
            remedy=remedy,
        )


def withdrawn(request: ReleaseRequest, person: str, *, at: datetime, reason: str = "") -> ReleaseRequest:
    """The request after one of its authors takes it back, which is possible until it is released."""
    instead = f'Return or reject it instead: phems release return {request.id} --reason "..."'
    check_author(request, person, "withdraw", instead)
    return acted(request, ReleaseAction.WITHDRAW, by=person, at=at, reason=reason)


def file_withdrawn(request: ReleaseRequest, person: str, path: str, *, at: datetime) -> ReleaseRequest:
    """The request after an author takes one file out of it; the file stays on record, and cannot leave.

    Votes on the other files stand. Raises `RefusedError` for the last output: then the request goes.
    """
    instead = f'Ask an author, or vote: phems release vote {request.id} --changes "..."'
    check_author(request, person, "withdraw a file of", instead)
    after = acted(request, ReleaseAction.WITHDRAW_FILE, by=person, at=at)
    file = request.file(path)
    if file.kind is FileKind.WITHDRAWN:
        raise RefusedError(
            f"A file of the release request {request.id} cannot be withdrawn.",
            why=f"{file.withdrawn_by} has withdrawn it already.",
            remedy=see(request),
        )
    gone = replace(file, kind=FileKind.WITHDRAWN, withdrawn_by=person, withdrawn_at=at)
    after = replace(after, files=tuple(gone if kept.path == path else kept for kept in after.files))
    if not after.outputs():
        raise RefusedError(
            f"The last output of the release request {request.id} cannot be withdrawn alone.",
            why="a request without outputs asks for nothing.",
            remedy=f"Withdraw the request: phems release withdraw {request.id}",
        )
    return after
