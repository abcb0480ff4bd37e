"""What Output Checkers do with release requests: vote on files, approve a part, reject, return."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from phems.domain.review import Ballot
from phems.domain.votes import Vote
from phems.gateway.api.asking import Cases, Person, row
from phems.gateway.api.bodies import Body, OptionalReason, Reason
from phems.gateway.api.etags import IfMatch
from phems.gateway.api.release_requests import Id, shown, unchanged
from phems.services.release_summaries import ReleaseSummary

router = APIRouter(prefix="/release-requests/{request}", tags=["release"])

ReviewedTurn = Annotated[
    int,
    Field(ge=1, le=1_000_000, description="The turn that you reviewed; 412 when there is a newer one."),
]
Words = Annotated[str, Field(max_length=2000)]


class FileVote(Body):
    """A vote on one file."""

    path: str = Field(max_length=1000, description="The file, by its path in the request.")
    vote: Vote
    justification: Words = Field(
        default="", description="Why it may go although an output check failed it: kept with the package."
    )
    reason: Words = Field(default="", description="Why you change your vote after seeing the others'.")


class Votes(Body):
    """Votes on files of one turn."""

    turn: ReviewedTurn
    votes: list[FileVote] = Field(min_length=1, max_length=500)


class PartApproval(Body):
    """An approval of the files that have the votes."""

    turn: ReviewedTurn
    reason: OptionalReason = ""


class ReviewDecision(Body):
    """A decision, with its reason."""

    turn: ReviewedTurn
    reason: Reason


@router.post("/vote", **row("release.vote", "release.vote"))
def vote(
    cases: Cases, person: Person, request: Id, body: Votes, response: Response, if_match: IfMatch = None
) -> ReleaseSummary:
    """Vote on files; other checkers see it only when they have voted too."""
    unchanged(cases, person, request, if_match)
    ballots = [Ballot(each.path, each.vote, each.justification, each.reason) for each in body.votes]
    return shown(cases.releases.vote(person, request, ballots, turn=body.turn), response)


@router.post("/approve", **row("release.approve", "release.vote"))
def approve(
    cases: Cases,
    person: Person,
    request: Id,
    body: PartApproval,
    response: Response,
    if_match: IfMatch = None,
) -> ReleaseSummary:
    """Let the approved files of a reviewed request go, without the others."""
    unchanged(cases, person, request, if_match)
    return shown(cases.releases.approve(person, request, reason=body.reason, turn=body.turn), response)


@router.post("/reject", **row("release.reject", "release.vote"))
def reject(
    cases: Cases,
    person: Person,
    request: Id,
    body: ReviewDecision,
    response: Response,
    if_match: IfMatch = None,
) -> ReleaseSummary:
    """Refuse a reviewed request, for good."""
    unchanged(cases, person, request, if_match)
    return shown(cases.releases.reject(person, request, reason=body.reason, turn=body.turn), response)


@router.post("/return", **row("release.return", "release.vote"))
def return_(
    cases: Cases,
    person: Person,
    request: Id,
    body: ReviewDecision,
    response: Response,
    if_match: IfMatch = None,
) -> ReleaseSummary:
    """Give a request back to its author for changes."""
    unchanged(cases, person, request, if_match)
    return shown(cases.releases.return_(person, request, reason=body.reason, turn=body.turn), response)
