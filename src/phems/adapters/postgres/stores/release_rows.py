"""Rows of the release tables as the domain's types."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from phems.domain.release_states import ReleaseState
from phems.domain.releases import (
    CastVote,
    Comment,
    CommentVisibility,
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
    votes: tuple[CastVote, ...],
    comments: tuple[Comment, ...],
) -> ReleaseRequest:
    """A request from its row, and from the rows that belong to it."""
    policy = {**row.policy, "file_types": tuple(row.policy["file_types"])}
    return ReleaseRequest(
        id=row.id,
        project=row.project,
        requester=row.requester,
        authors=frozenset(row.authors),
        policy=ReleasePolicy(**policy),
        requested_at=row.requested_at,
        groups=tuple(FileGroup(**group) for group in row.groups),
        files=files,
        runs=tuple(RunOrigin(**run) for run in row.runs),
        state=ReleaseState(row.state),
        turn=row.turn,
        votes=votes,
        comments=comments,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        reason=row.reason,
        released_at=row.released_at,
        package_digest=row.package_digest,
    )


def file_of(row: Row[Any]) -> FrozenFile:
    """A frozen file from its row."""
    return FrozenFile(
        path=row.path,
        sha256=row.sha256,
        size=row.size,
        media_type=row.media_type,
        run_id=row.run_id,
        step_key=row.step_key,
        group=row.file_group,
        kind=FileKind(row.kind),
        declaration=row.declaration,
    )


def vote_of(row: Row[Any]) -> CastVote:
    """A vote from its row."""
    return CastVote(row.path, row.checker, Vote(row.vote), row.at, row.turn)


def comment_of(row: Row[Any]) -> Comment:
    """A comment from its row."""
    return Comment(row.author, row.text, CommentVisibility(row.visibility), row.at, row.turn)
