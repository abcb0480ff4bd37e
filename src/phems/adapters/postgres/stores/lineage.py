"""Lineage events and how far each place was told of them, in Postgres."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from phems.domain.canonical import canonical, parse
from phems.domain.lineage_events import Document, LineageEvent
from phems.domain.release_facts import uuid_of
from phems.services.ports.lineage import TargetState, UntoldRun

_LOCK = 0x7068656D732D6C6E  # "phems-ln"


class PostgresLineageStore:
    """`LineageStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def untold(self) -> Sequence[UntoldRun]:
        """See the port."""
        rows = self._do("SELECT run_id, project, has_begun FROM governance.lineage_untold ORDER BY number")
        return [UntoldRun(row.run_id, row.project, row.has_begun) for row in rows]

    def add(self, events: Collection[LineageEvent]) -> None:
        """See the port."""
        # One at a time: an event with a lower number must not appear after a place was told of a higher one.
        self._do("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
        for event in events:
            self._do(
                "INSERT INTO governance.lineage_events (project, subject, kind, run_id, document) "
                "VALUES (:project, :subject, :kind, :run_id, :document) ON CONFLICT DO NOTHING",
                project=event.project,
                subject=event.subject,
                kind=event.kind,
                run_id=event.run_id,
                document=canonical(event.document).decode(),
            )

    def begun(self, run_id: str) -> None:
        """See the port."""
        self._do(
            "UPDATE governance.lineage_untold SET has_begun = true WHERE run_id = :run_id", run_id=run_id
        )

    def ended(self, run_id: str) -> None:
        """See the port."""
        self._do("DELETE FROM governance.lineage_untold WHERE run_id = :run_id", run_id=run_id)

    def last_of_run(self, run_id: str) -> Document | None:
        """See the port."""
        found = self._do(
            "SELECT document FROM governance.lineage_events "
            "WHERE subject = :subject AND run_id = :run_id AND kind <> 'START' ORDER BY number DESC LIMIT 1",
            subject=uuid_of("run", run_id),
            run_id=run_id,
        ).scalar()
        document: Document | None = None if found is None else parse(found)
        return document

    def after(self, number: int, *, limit: int) -> Sequence[tuple[int, bytes]]:
        """See the port."""
        rows = self._do(
            "SELECT number, document FROM governance.lineage_events WHERE number > :number "
            "ORDER BY number LIMIT :limit",
            number=number,
            limit=limit,
        )
        return [(row.number, row.document.encode()) for row in rows]

    def waiting(self, name: str) -> int:
        """See the port."""
        query = "SELECT count(*) FROM governance.lineage_events WHERE number > :number"
        return int(self._do(query, number=self.target(name).number).scalar())

    def target(self, name: str) -> TargetState:
        """See the port."""
        row = self._do(
            "SELECT number, attempts, due_at, failure FROM governance.lineage_targets WHERE name = :name",
            name=name,
        ).first()
        return TargetState() if row is None else TargetState(*row)

    def moved(self, name: str, number: int) -> None:
        """See the port."""
        self._do(
            "INSERT INTO governance.lineage_targets (name, number) VALUES (:name, :number) "
            "ON CONFLICT (name) DO UPDATE SET number = :number, attempts = 0, due_at = NULL, failure = ''",
            name=name,
            number=number,
        )

    def failed(self, name: str, failure: str, due_at: datetime) -> None:
        """See the port."""
        self._do(
            "INSERT INTO governance.lineage_targets (name, attempts, due_at, failure) "
            "VALUES (:name, 1, :due_at, :failure) ON CONFLICT (name) DO UPDATE "
            "SET attempts = lineage_targets.attempts + 1, due_at = :due_at, failure = :failure",
            name=name,
            failure=failure,
            due_at=due_at,
        )

    def _do(self, query: str, **values: Any) -> Any:
        return self._connection.execute(text(query), values)
