"""Release requests for the tests of the domain: two files of one run, asked for by ana, launched by ben."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from phems.domain.release_states import ReleaseAction, ReleaseState
from phems.domain.releases import (
    FileGroup,
    FileKind,
    FrozenFile,
    ReleasePolicy,
    ReleaseRequest,
    RunOrigin,
    acted,
    asked_again,
    authors_of,
)
from phems.domain.review import Ballot, voted
from phems.domain.votes import Vote

S, A = ReleaseState, ReleaseAction
NOW = datetime(2026, 11, 1, tzinfo=UTC)
ONE, TWO = "outputs/run-1/one.csv", "outputs/run-1/two.csv"


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


def vote(request: ReleaseRequest, who: str, *votes: tuple[str, Vote], reason: str = "") -> ReleaseRequest:
    return voted(request, who, [Ballot(path, word, reason=reason) for path, word in votes], at=NOW)


def vote_all(request: ReleaseRequest, who: str, word: Vote, reason: str = "") -> ReleaseRequest:
    return vote(request, who, *((file.path, word) for file in request.outputs()), reason=reason)


def reviewed() -> ReleaseRequest:
    """One file approved, one that needs changes."""
    request = submitted()
    for who in ("chris", "cara"):
        request = vote(request, who, (ONE, Vote.APPROVED), (TWO, Vote.CHANGES_REQUESTED))
    return request


def again(request: ReleaseRequest, by: str = "ana", run: str = "run-1") -> ReleaseRequest:
    """A returned request in its next turn, submitted."""
    pending = asked_again(
        request,
        by=by,
        policy=request.policy,
        groups=request.groups,
        files=(frozen(ONE),),
        runs=(RunOrigin(run),),
        at=NOW,
    )
    return acted(pending, A.SUBMIT, by=by, at=NOW)


def on_fail(request: ReleaseRequest, what: str) -> ReleaseRequest:
    return replace(request, policy=replace(request.policy, on_fail=what))
