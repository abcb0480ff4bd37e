"""`ETag` and `If-Match` (RFC 9110, 8.8.3 and 13.1.1): an act on what somebody saw, not on what came since."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header

from phems.errors import StaleError
from phems.gateway.entity_tags import etag

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=500,
        description="The ETag of the answer that the act is based on; 412 when it is no longer so.",
    ),
]


def check_unchanged(given: str | None, shown: Any, *, name: str) -> None:
    """Raise `StaleError` unless `given` (If-Match) is or holds the tag of what would be shown now."""
    if given is None or given.strip() == "*":
        return
    if etag(shown) not in {tag.strip() for tag in given.split(",")}:
        raise StaleError(
            f"{name} is not as you saw it.",
            why="it was changed since, and your act might rest on what no longer holds.",
            remedy="Look at it again, and send the act with the new ETag.",
        )
