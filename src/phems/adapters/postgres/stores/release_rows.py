"""Rows of the release tables as the domain's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from phems.domain.approvals import Signature
from phems.domain.release_states import ReleaseState
from phems.domain.releases import (
    CastVote,
    Comment,
    CommentVisibility,
    EndedTurn,
    FileGroup,
    FileKind,
    FrozenFile,
    ReleasePolicy,
    ReleaseRequest,
    RunOrigin,
)
from phems.domain.votes import Vote


def request_of(
    row: Row[Any],
    *,
    files: tuple[FrozenFile, ...],
    votes: Sequence[CastVote],
    comments: tuple[Comment, ...],
    ended_turns: tuple[EndedTurn, ...],
) -> ReleaseRequest:
    """A request from its row, and from the rows that belong to it; `votes` has those replaced, in order."""
    standing = {(vote.turn, vote.path, vote.checker): vote for vote in votes}
    kept = set(map(id, standing.values()))
    return ReleaseRequest(
        id=row.id,
        project=row.project,
        requester=row.requester,
        authors=frozenset(row.authors),
        policy=_policy(row.policy),
        requested_at=row.requested_at,
        groups=_groups(row.groups),
        files=files,
        runs=_runs(row.runs),
        state=ReleaseState(row.state),
        turn=row.turn,
        votes=tuple(vote for vote in votes if id(vote) in kept),
        comments=comments,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        reason=row.reason,
        released_at=row.released_at,
        package_digest=row.package_digest,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        replaced_votes=tuple(vote for vote in votes if id(vote) not in kept),
        ended_turns=ended_turns,
    )


def ended_turn_of(row: Row[Any]) -> EndedTurn:
    """An earlier turn from its row."""
    return EndedTurn(
        turn=row.turn,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        policy=_policy(row.policy),
        groups=_groups(row.groups),
        runs=_runs(row.runs),
        state=ReleaseState(row.state),
        opened=row.opened,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        reason=row.reason,
    )


def file_of(row: Row[Any]) -> FrozenFile:
    """A frozen file from its row, and from the one that says it was withdrawn."""
    return FrozenFile(
        path=row.path,
        sha256=row.sha256,
        size=row.size,
        media_type=row.media_type,
        run_id=row.run_id,
        step_key=row.step_key,
        group=row.file_group,
        kind=FileKind(row.kind) if row.withdrawn_at is None else FileKind.WITHDRAWN,
        declaration=row.declaration,
        withdrawn_by=row.withdrawn_by,
        withdrawn_at=row.withdrawn_at,
    )


def vote_of(row: Row[Any]) -> CastVote:
    """A vote from its row."""
    return CastVote(
        row.path,
        row.checker,
        Vote(row.vote),
        row.at,
        row.turn,
        justification=row.justification,
        reason=row.reason,
        policy_version=row.policy_version,
        signature=Signature(row.key_id, row.signature) if row.signature else None,
        nonce=row.nonce,
    )


def comment_of(row: Row[Any]) -> Comment:
    """A comment from its row."""
    visibility = CommentVisibility(row.visibility)
    return Comment(row.author, row.text, visibility, row.at, row.turn, row.file_group)


def _policy(kept: Mapping[str, Any]) -> ReleasePolicy:
    return ReleasePolicy(**{**kept, "file_types": tuple(kept["file_types"])})


def _groups(kept: Sequence[Mapping[str, Any]]) -> tuple[FileGroup, ...]:
    return tuple(FileGroup(**group) for group in kept)


def _runs(kept: Sequence[Mapping[str, Any]]) -> tuple[RunOrigin, ...]:
    return tuple(RunOrigin(**run) for run in kept)
