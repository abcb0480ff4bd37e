"""Comments on a release request or on one of its file groups: who may say what to whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from phems.domain.releases import Comment, CommentVisibility, ReleaseRequest, see
from phems.errors import InputError, NotFoundError, RefusedError


def commented(
    request: ReleaseRequest,
    person: str,
    text: str,
    visibility: CommentVisibility,
    *,
    checker: bool,
    group: str | None,
    at: datetime,
) -> ReleaseRequest:
    """The request with one more comment; `checker` says whether the person is one of this request.

    Raises `RefusedError` for a PRIVATE comment of anybody else, `NotFoundError` for an unknown group.
    """
    if not text.strip():
        raise InputError("The comment is empty.", remedy=f'phems release comment {request.id} "..."')
    if visibility is CommentVisibility.PRIVATE and not checker:
        raise RefusedError(
            "A private comment cannot be made here.",
            why="only Output Checkers who are not authors of the request make and see them.",
            remedy="Leave --private out.",
        )
    known = [known.name for known in request.groups]
    if group is not None and group not in known:
        raise NotFoundError(
            f"The release request {request.id} has no file group {group!r}.",
            why=f"its groups are: {', '.join(known)}.",
            remedy=see(request),
        )
    comment = Comment(person, text.strip(), visibility, at, request.turn, group)
    return replace(request, comments=(*request.comments, comment))
