"""Notifications as the use case sees them: the table that they wait in, and the ways that they go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from phems.domain.notifications import Channel, Notice, Notification


class NotificationStore(Protocol):
    """The outbox, within one transaction."""

    def add(self, channel: Channel, people: Collection[str], notice: Notice, now: datetime) -> bool:
        """Have it told; False when it was told before, to these or (by the webhook) to anybody."""
        ...

    def due(self, now: datetime, *, limit: int) -> Sequence[Notification]:
        """What is to be sent by now, oldest first."""
        ...

    def sent(self, number: int, now: datetime) -> None:
        """It has arrived."""
        ...

    def failed(self, number: int, again_at: datetime | None, failure: str) -> None:
        """It has not; None: it is given up."""
        ...

    def next_due(self) -> datetime | None:
        """When the next is to be sent; None when there is none."""
        ...

    def counts(self) -> Mapping[str, int]:
        """How many there are in each state."""
        ...


class NotificationChannel(Protocol):
    """A way that notifications go."""

    def send(self, notification: Notification, *, address: str, text: str, link: str) -> None:
        """Send it; UnavailableError when it did not arrive, without a word of what is in it."""
        ...
