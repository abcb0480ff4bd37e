"""Long lists in pages: each page names the cursor of the next, which is where the page ended, not a number.

What is added in front of a page while somebody reads on neither repeats nor hides what comes after it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from phems.errors import InputError

Row = TypeVar("Row")

DEFAULT_LIMIT, MOST = 50, 200

Key = Sequence[str | int]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before; none for the first.")
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="The most rows of a page.")]


class Page(BaseModel, Generic[Row]):
    """A part of a list."""

    items: list[Row]
    next_cursor: str | None = Field(default=None, description="For the next page; null on the last.")


def page(
    rows: Iterable[Row], key: Callable[[Row], Key], cursor: str | None, limit: int, *, descending: bool = True
) -> Page[Row]:
    """The page after `cursor`, of rows that `key` puts into a strict order."""
    ordered = sorted(rows, key=lambda row: tuple(key(row)), reverse=descending)
    if cursor is not None:
        after = decoded(cursor, types=_types(key, ordered))
        ordered = [row for row in ordered if _comes_after(tuple(key(row)), after, descending=descending)]
    shown = ordered[:limit]
    more = len(ordered) > limit
    return Page(items=shown, next_cursor=encoded(key(shown[-1])) if more else None)


def encoded(key: Key) -> str:
    """A key as the cursor that a page ends with."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decoded(cursor: str, *, types: Sequence[type] | None) -> tuple[Any, ...]:
    """The key of a cursor; InputError when it is none of this list's. `types` of None: any."""
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    fits = isinstance(key, list) and (types is None or [type(part) for part in key] == list(types))
    if not fits:
        raise InputError(
            "The cursor is not one of this list.",
            why="a cursor is what an earlier page gave as next_cursor, unchanged.",
            remedy="Leave the cursor out, to begin anew.",
        )
    return tuple(key)


def _types(key: Callable[[Row], Key], rows: Sequence[Row]) -> Sequence[type] | None:
    return [type(part) for part in key(rows[0])] if rows else None


def _comes_after(key: tuple[Any, ...], other: tuple[Any, ...], *, descending: bool) -> bool:
    return key < other if descending else key > other
