"""The history of a release request, as one person may see it: turn by turn, what was done by whom.

Made from a view, so that it shows nothing that the view does not: sealed votes and private comments of
others are no lines here, nor is there a gap that gives them away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from phems.domain.release_states import DECIDING, RELEASE_REQUESTS, ReleaseState
from phems.domain.release_views import ReleaseView
from phems.domain.releases import EndedTurn, FrozenFile, ReleaseRequest

# The state that a deciding action leads to, and the word for having done it.
_DECIDED = {row.target: row.target.value.lower() for row in RELEASE_REQUESTS.rows if row.action in DECIDING}
# A release keeps who approved it.
_DECIDED[ReleaseState.RELEASED] = _DECIDED[ReleaseState.APPROVED]


@dataclass(frozen=True)
class HistoryEvent:
    """One thing that was done; `about` is a file's path or a group's name, None for the whole request."""

    at: datetime
    turn: int
    by: str
    what: str
    about: str | None = None
    text: str = ""


def history_of(
    view: ReleaseView, earlier: Mapping[int, Sequence[FrozenFile]] | None = None
) -> tuple[HistoryEvent, ...]:
    """All that may be seen, oldest first; `earlier` has the files of the turns before the present one."""
    request = view.request
    files = {**(earlier or {}), request.turn: request.files}
    events = [
        *_asked(request, files),
        *_withdrawn_files(files),
        *_votes(request),
        *_comments(request),
        *_decisions(request),
    ]
    return tuple(sorted(events, key=lambda event: event.at))


def _asked(request: ReleaseRequest, files: Mapping[int, Sequence[FrozenFile]]) -> Iterator[HistoryEvent]:
    asked_by, asked_at = request.asked_by or request.requester, request.asked_at or request.requested_at
    turns = [(ended.turn, ended.asked_by, ended.asked_at) for ended in request.ended_turns]
    for turn, person, at in (*turns, (request.turn, asked_by, asked_at)):
        yield HistoryEvent(at, turn, person, "requested", text=f"{len(files.get(turn, ()))} files")


def _withdrawn_files(files: Mapping[int, Sequence[FrozenFile]]) -> Iterator[HistoryEvent]:
    for turn, file in ((turn, file) for turn, found in files.items() for file in found):
        if file.withdrawn_by is not None and file.withdrawn_at is not None:
            yield HistoryEvent(file.withdrawn_at, turn, file.withdrawn_by, "withdrew a file", file.path)


def _votes(request: ReleaseRequest) -> Iterator[HistoryEvent]:
    for vote in (*request.replaced_votes, *request.votes):
        text = "; ".join(part for part in (vote.justification, vote.reason) if part)
        yield HistoryEvent(vote.at, vote.turn, vote.checker, f"voted {vote.vote.value}", vote.path, text)


def _comments(request: ReleaseRequest) -> Iterator[HistoryEvent]:
    for comment in request.comments:
        what = f"commented ({comment.visibility.value.lower()})"
        yield HistoryEvent(comment.at, comment.turn, comment.by, what, comment.group, comment.text)


def _decisions(request: ReleaseRequest) -> Iterator[HistoryEvent]:
    turns: tuple[EndedTurn | ReleaseRequest, ...] = (*request.ended_turns, request)
    for turn in turns:
        word = _DECIDED.get(turn.state)
        if word is not None and turn.decided_at is not None and turn.decided_by is not None:
            yield HistoryEvent(turn.decided_at, turn.turn, turn.decided_by, word, text=turn.reason)
    if request.released_at is not None:
        yield HistoryEvent(request.released_at, request.turn, "publisher", "released")
