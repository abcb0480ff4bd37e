"""The outbox of released packages: what a federation coordinator is told, in an order that never changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from phems.domain.release_states import ReleaseState
from phems.errors import InputError

_LONGEST = 18  # digits: what fits into the store's numbers


class PackageEvent(StrEnum):
    """What becomes of a package that lies in the release zone."""

    RELEASED = "RELEASED"
    REVOKED = "REVOKED"


@dataclass(frozen=True)
class OutboxEvent:
    """An event with its number, and where the request stands now, which may be further on."""

    number: int
    request_id: str
    project: str
    event: PackageEvent
    at: datetime
    state: ReleaseState
    manifest_digest: str
    released_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether the package may be handed over: released, and not revoked since."""
        return self.event is PackageEvent.RELEASED and self.state is ReleaseState.RELEASED


def cursor_of(number: int) -> str:
    """The cursor behind the event with this number."""
    return str(number)


def number_of(cursor: str | None) -> int:
    """The number that a cursor stands for: 0, before all events, for None. `InputError` for what is none."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > _LONGEST:
        raise InputError(
            "The cursor is not one of this list.",
            why="a cursor is what an earlier page gave as its next, unchanged.",
            remedy="Leave the cursor out, to begin anew.",
        )
    return int(cursor)
