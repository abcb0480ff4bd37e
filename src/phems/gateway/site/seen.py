"""What a form was made for: an act on a page holds what its person saw, and not what came since.

As `If-Match` of the API does (`phems.gateway.api.etags`), in a hidden field.
"""

from __future__ import annotations

from typing import Any

from phems.errors import StaleError
from phems.gateway.entity_tags import etag
from phems.gateway.site.ask import Ask

SEEN_FIELD = "seen"


def mark(shown: Any) -> str:
    """What a form carries of what its page showed."""
    return etag(shown).strip('"')


def check_seen(ask: Ask, shown: Any, *, name: str) -> None:
    """Raise `StaleError` unless the form was made for what would be shown now."""
    if ask.text(SEEN_FIELD) != mark(shown):
        raise StaleError(
            f"{name} is not as you saw it.",
            why="it was changed since, and your act might rest on what no longer holds. Nothing was done.",
            remedy="This page shows how it is now. Look at it, and decide anew.",
        )
