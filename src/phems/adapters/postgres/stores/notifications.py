"""Notifications that wait, were sent or were given up, in Postgres."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.domain.notifications import Channel, Notice, Notification


class PostgresNotificationsStore:
    """`NotificationStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, channel: Channel, people: Collection[str], notice: Notice, now: datetime) -> bool:
        """See the port."""
        done = self._do(
            "INSERT INTO governance.notifications "
            "(channel, person, people, kind, project, subject, since, made_at, due_at) "
            "VALUES (:channel, :person, :people, :kind, :project, :subject, :since, :now, :now) "
            "ON CONFLICT DO NOTHING",
            channel=channel,
            person=next(iter(people)) if channel == "mail" else "",
            people=sorted(people),
            kind=notice.kind,
            project=notice.project,
            subject=notice.subject,
            since=notice.since,
            now=now,
        )
        return bool(done.rowcount)

    def due(self, now: datetime, *, limit: int) -> Sequence[Notification]:
        """See the port."""
        query = (
            "SELECT * FROM governance.notifications WHERE state = 'WAITING' AND due_at <= :now "
            "ORDER BY due_at, number LIMIT :limit"
        )
        return [_notification(row) for row in self._do(query, now=now, limit=limit)]

    def sent(self, number: int, now: datetime) -> None:
        """See the port."""
        self._do(
            "UPDATE governance.notifications SET state = 'SENT', sent_at = :now, attempts = attempts + 1, "
            "failure = '' WHERE number = :number",
            number=number,
            now=now,
        )

    def failed(self, number: int, again_at: datetime | None, failure: str) -> None:
        """See the port."""
        self._do(
            "UPDATE governance.notifications SET attempts = attempts + 1, failure = :failure, "
            "state = CASE WHEN CAST(:again AS timestamptz) IS NULL THEN 'GIVEN_UP' ELSE 'WAITING' END, "
            "due_at = coalesce(CAST(:again AS timestamptz), due_at) WHERE number = :number",
            number=number,
            again=again_at,
            failure=failure,
        )

    def next_due(self) -> datetime | None:
        """See the port."""
        query = "SELECT min(due_at) FROM governance.notifications WHERE state = 'WAITING'"
        found: datetime | None = self._do(query).scalar()
        return found

    def counts(self) -> Mapping[str, int]:
        """See the port."""
        query = "SELECT state, count(*) AS number FROM governance.notifications GROUP BY state"
        return {row.state: row.number for row in self._do(query)}

    def _do(self, query: str, **values: Any) -> Any:
        return self._connection.execute(text(query), values)


def _notification(row: Row[Any]) -> Notification:
    notice = Notice(row.kind, row.project, row.subject, row.since)
    return Notification(row.number, row.channel, tuple(row.people), notice, row.attempts)
