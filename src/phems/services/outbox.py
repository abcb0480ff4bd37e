"""The outbox: what a federation coordinator may fetch, page by page, and what it must no longer use.

An event is added by the publisher alone, once the complete package, or the notice of its revocation, lies in
the release zone. Numbers rise in the order of commits and never change: a coordinator that keeps the cursor
of its last page misses nothing and is told nothing twice. Nothing that was not released is ever named.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from phems.domain.release_outbox import OutboxEvent, PackageEvent, cursor_of, number_of
from phems.errors import InputError
from phems.services.ports import Governance

MOST = 200


@dataclass(frozen=True)
class OutboxItem:
    """One line: a released package, or the tombstone of one that was revoked.

    `state` is RELEASED while the package may be used, and REVOKED from the moment of its revocation on, in
    earlier lines too; then there are no digest and no time of release to go by.
    """

    cursor: str
    request: str
    project: str
    state: str
    at: datetime
    released_at: datetime | None
    manifest_digest: str | None


@dataclass(frozen=True)
class OutboxPage:
    """Some lines, and the cursor to ask for the next with: the same again while there is none."""

    items: Sequence[OutboxItem]
    next_cursor: str
    more: bool


class Outbox:
    """The use case. Who may see which projects is the caller's to check: it is no person who asks."""

    def __init__(self, governance: Governance) -> None:
        self._governance = governance

    def released(
        self, after: str | None = None, limit: int = 50, *, projects: Collection[str] | None = None
    ) -> OutboxPage:
        """The lines after a cursor, oldest first, of the given projects; None for all of the node.

        Raises `InputError` for a cursor that was never given, or a limit beyond `MOST`.
        """
        number = number_of(after)
        if not 1 <= limit <= MOST:
            raise InputError(
                f"A page of {limit} lines cannot be had.",
                why=f"a page has 1 to {MOST} lines.",
                remedy=f"Ask for {MOST} at most, and go on with next_cursor.",
            )
        with self._governance.transaction() as work:
            events = work.packages.told(after=number, limit=limit + 1, projects=projects)
        shown = events[:limit]
        last = shown[-1].number if shown else number
        return OutboxPage([_item(event) for event in shown], cursor_of(last), more=len(events) > limit)


def _item(event: OutboxEvent) -> OutboxItem:
    return OutboxItem(
        cursor=cursor_of(event.number),
        request=event.request_id,
        project=event.project,
        state=(PackageEvent.RELEASED if event.is_open else PackageEvent.REVOKED).value,
        at=event.at,
        released_at=event.released_at if event.is_open else None,
        manifest_digest=event.manifest_digest if event.is_open else None,
    )
