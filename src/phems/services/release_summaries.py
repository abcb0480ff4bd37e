"""A release request as programs and tables take it: only what its viewer may see, in plain fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from phems.domain.outputs import name_of
from phems.domain.release_views import ReleaseView
from phems.domain.releases import FrozenFile


@dataclass(frozen=True)
class FileSummary:
    """One file: what was frozen, its decision, and the votes that may be seen (checker to vote)."""

    name: str
    path: str
    size: int
    sha256: str
    run: str
    decision: str
    votes: dict[str, str]


@dataclass(frozen=True)
class CommentSummary:
    """One remark."""

    by: str
    at: datetime
    visibility: str
    turn: int
    text: str


@dataclass(frozen=True)
class ReleaseSummary:
    """One request."""

    id: str
    project: str
    state: str
    phase: str
    turn: int
    requester: str
    requested_at: datetime
    context: str
    controls: str
    policy: str
    votes_needed: int
    runs: tuple[str, ...]
    files: tuple[FileSummary, ...]
    comments: tuple[CommentSummary, ...]
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    released_at: datetime | None
    package_digest: str | None


def summary_of(view: ReleaseView) -> ReleaseSummary:
    """The summary of a view."""
    request = view.request
    return ReleaseSummary(
        id=request.id,
        project=request.project,
        state=request.state.value,
        phase=view.phase.value,
        turn=request.turn,
        requester=request.requester,
        requested_at=request.requested_at,
        context="\n".join(group.context for group in request.groups),
        controls="\n".join(group.controls for group in request.groups),
        policy=request.policy.name,
        votes_needed=request.policy.votes,
        runs=tuple(run.run_id for run in request.runs),
        files=tuple(_file(view, file) for file in request.outputs()),
        comments=tuple(
            CommentSummary(comment.by, comment.at, comment.visibility.value, comment.turn, comment.text)
            for comment in view.comments
        ),
        decided_by=request.decided_by,
        decided_at=request.decided_at,
        reason=request.reason,
        released_at=request.released_at,
        package_digest=request.package_digest,
    )


def _file(view: ReleaseView, file: FrozenFile) -> FileSummary:
    present = [vote for vote in view.votes if vote.path == file.path and vote.turn == view.request.turn]
    return FileSummary(
        name=name_of(file.path),
        path=file.path,
        size=file.size,
        sha256=file.sha256,
        run=file.run_id,
        decision=view.decisions[file.path].value,
        votes={vote.checker: vote.vote.value for vote in present},
    )
