"""What Output Checkers do with release requests: vote on files, approve a part, reject, return.

While they are blind to each other, the audit log has their votes sealed (`sealed_votes`); the act that ends
the blind phase opens them there, too. A vote that counts no more, because its checker's key was revoked or
they are no checker now, is taken back before the next one is counted.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from phems.domain.actors import NODE, Actor
from phems.domain.release_states import ReleaseAction
from phems.domain.release_views import ReleaseView
from phems.domain.releases import CastVote, ReleaseRequest
from phems.domain.review import Ballot, annulled, approved_in_part, check_turn, decided, voted
from phems.domain.sealed_votes import NONCE_BYTES, opened, sealed
from phems.domain.votes import ReviewPhase, Vote
from phems.errors import InputError
from phems.services.ports import Transaction
from phems.services.release_acts import ReleaseActs, digests, recorded

Votes = Vote | Mapping[str, Vote] | Sequence[Ballot]


class CheckerActs(ReleaseActs):
    """The checkers' use cases."""

    def vote(
        self,
        actor: Actor,
        name: str,
        votes: Votes,
        *,
        justification: str = "",
        reason: str = "",
        turn: int | None = None,
    ) -> ReleaseView:
        """Vote on files: with one vote on all, by path, or with ballots.

        `turn`, here and in decisions, is the turn that was reviewed: `StaleError` when it is not the present.
        `justification` says why files may go although an output check failed them, `reason` why a vote is
        changed after the others' were seen; both for every vote that has none of its own.
        """

        def change(work: Transaction, request: ReleaseRequest) -> ReleaseRequest:
            check_turn(request, turn)
            standing = self._without_lost_votes(work, request)
            ballots = _ballots(standing, votes, justification, reason)
            version = work.policies.current(request.project).label

            def finish(vote: CastVote) -> CastVote:
                nonce = secrets.token_hex(NONCE_BYTES)
                vote = replace(vote, policy_version=version, nonce=nonce)
                return self._signatures.signed(work, actor, request, vote)

            failed, barred = _failed(work, request)
            return voted(
                standing,
                actor.name,
                ballots,
                at=self._clock.now(),
                failed=failed,
                barred=barred,
                finish=finish,
            )

        def record(work: Transaction, request: ReleaseRequest, before: ReleaseRequest) -> None:
            _record_votes(work, actor, request, before)

        return self._change(actor, name, "release.vote", change, record)

    def approve(self, actor: Actor, name: str, *, reason: str = "", turn: int | None = None) -> ReleaseView:
        """Let the approved files of a reviewed request go without the others."""

        def change(work: Transaction, request: ReleaseRequest) -> ReleaseRequest:
            check_turn(request, turn)
            standing = self._without_lost_votes(work, request)
            return approved_in_part(standing, actor.name, at=self._clock.now(), reason=reason.strip())

        def record(work: Transaction, request: ReleaseRequest, before: ReleaseRequest) -> None:
            files = digests(request.approved_files())
            recorded(work, actor, "release.approve", request, before, files=files)

        return self._change(actor, name, "release.approve", change, record)

    def reject(self, actor: Actor, name: str, *, reason: str, turn: int | None = None) -> ReleaseView:
        """Refuse a reviewed request for good."""
        return self._decide(actor, name, ReleaseAction.REJECT, reason, turn)

    def return_(self, actor: Actor, name: str, *, reason: str, turn: int | None = None) -> ReleaseView:
        """Give a request back to its author for changes."""
        return self._decide(actor, name, ReleaseAction.RETURN, reason, turn)

    def _decide(
        self, actor: Actor, name: str, action: ReleaseAction, reason: str, turn: int | None
    ) -> ReleaseView:
        told = reason_given(action.value, name, reason)

        def change(_: Transaction, request: ReleaseRequest) -> ReleaseRequest:
            check_turn(request, turn)
            return decided(request, action, actor.name, at=self._clock.now(), reason=told)

        return self._change(actor, name, f"release.{action.value}", change)

    def _without_lost_votes(self, work: Transaction, request: ReleaseRequest) -> ReleaseRequest:
        """The request without votes that count no more, each taken back on record."""
        problems = {
            vote: problem
            for vote in request.votes
            if vote.turn == request.turn and vote.vote is not Vote.UNDECIDED
            for problem in [self._problem(work, request, vote)]
            if problem is not None
        }
        for vote in problems:
            file = request.file(vote.path).sha256
            recorded(work, NODE, "release.annul_vote", request, request, checker=vote.checker, file=file)
        return annulled(request, problems, at=self._clock.now())

    def _problem(self, work: Transaction, request: ReleaseRequest, vote: CastVote) -> str | None:
        if not self._access.may(vote.checker, "release.vote", request.project):
            return f"{vote.checker} is no Output Checker of {request.project} any more"
        return self._signatures.problem(work, request, vote)


def reason_given(action: str, name: str, reason: str) -> str:
    """The reason of a decision; raises `InputError` when there is none."""
    if not reason.strip():
        raise InputError(
            f"A reason is missing to {action} the release request {name}.",
            why="the author is told why.",
            remedy=f'phems release {action} {name} --reason "..."',
        )
    return reason.strip()


def _ballots(request: ReleaseRequest, votes: Votes, justification: str, reason: str) -> tuple[Ballot, ...]:
    if isinstance(votes, Vote):
        votes = {file.path: votes for file in request.outputs()}
    if isinstance(votes, Mapping):
        votes = [Ballot(path, vote) for path, vote in votes.items()]
    return tuple(
        replace(
            ballot,
            justification=ballot.justification or justification,
            reason=ballot.reason or reason,
        )
        for ballot in votes
    )


def _failed(work: Transaction, request: ReleaseRequest) -> tuple[frozenset[str], frozenset[str]]:
    """The outputs that failed a check, and those of them that no reason lets go.

    A failure of the request as a whole is one of each file.
    """
    report = work.output_checks.of(request.id, request.turn)
    if report is None:
        return frozenset(), frozenset()
    paths = {file.path for file in request.outputs()}
    barred = frozenset(path for path in paths if report.is_barred(path))
    if any(finding.verdict.value == "fail" for finding in report.of(None)):
        return frozenset(paths), barred
    return frozenset(path for path in paths if report.failed(path)), barred


def _record_votes(work: Transaction, actor: Actor, request: ReleaseRequest, before: ReleaseRequest) -> None:
    known = set(before.votes)
    cast = [vote for vote in request.votes if vote.checker == actor.name and vote.nonce and vote not in known]
    blind = request.phase() is ReviewPhase.INDEPENDENT
    lines = [sealed(request, vote) if blind else opened(request, vote) for vote in cast]
    recorded(work, actor, "release.vote", request, before, votes=lines)
