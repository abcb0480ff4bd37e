"""Release packages with their parts, and the outbox, in Postgres."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.domain.release_outbox import OutboxEvent, PackageEvent
from phems.domain.release_states import ReleaseState
from phems.services.ports.release_packages import PackageRecord

_OUTBOX_LOCK = 0x7068656D732D6F62  # "phems-ob"


class PostgresPackagesStore:
    """`PackageStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, request_id: str, parts: Mapping[str, bytes]) -> None:
        """Keep the parts of the package that is about to be placed."""
        self._do("INSERT INTO governance.release_packages (request_id) VALUES (:id)", id=request_id)
        for path, content in parts.items():
            self._do(
                "INSERT INTO governance.release_package_parts (request_id, path, content) "
                "VALUES (:id, :path, :content)",
                id=request_id,
                path=path,
                content=content,
            )

    def get(self, request_id: str) -> PackageRecord | None:
        """The package of a request that was released."""
        rows = self._rows(
            "SELECT placed_at FROM governance.release_packages WHERE request_id = :id", id=request_id
        )
        if not rows:
            return None
        parts = self._rows(
            "SELECT path, content FROM governance.release_package_parts "
            'WHERE request_id = :id ORDER BY path COLLATE "C"',
            id=request_id,
        )
        return PackageRecord(
            request_id, {part.path: bytes(part.content) for part in parts}, rows[0].placed_at
        )

    def mark_placed(self, request_id: str, at: datetime) -> None:
        """Note that the whole package lies in the release zone."""
        self._do(
            "UPDATE governance.release_packages SET placed_at = :at "
            "WHERE request_id = :id AND placed_at IS NULL",
            id=request_id,
            at=at,
        )

    def unplaced(self) -> Sequence[str]:
        """The requests whose package may not lie in the release zone yet."""
        query = (
            "SELECT request_id FROM governance.release_packages WHERE placed_at IS NULL ORDER BY request_id"
        )
        return [row.request_id for row in self._rows(query)]

    def revoked(self) -> Sequence[str]:
        """The requests that were revoked after their package was recorded, and of which none was told yet."""
        query = (
            "SELECT request_id FROM governance.release_packages "
            "JOIN governance.release_requests ON id = request_id "
            "WHERE state = 'REVOKED' AND NOT EXISTS (SELECT 1 FROM governance.release_outbox AS told "
            "WHERE told.request_id = release_packages.request_id AND event = 'REVOKED') ORDER BY request_id"
        )
        return [row.request_id for row in self._rows(query)]

    def tell(self, request_id: str, event: PackageEvent, at: datetime) -> None:
        """Add an event to the outbox; numbers rise in the order of commits, since one waits for the other."""
        self._do("SELECT pg_advisory_xact_lock(:key)", key=_OUTBOX_LOCK)
        self._do(_TELL, id=request_id, event=event.value, at=at)

    def told(
        self, *, after: int, limit: int, projects: Collection[str] | None = None
    ) -> Sequence[OutboxEvent]:
        """At most `limit` events of the outbox, in their order."""
        rows = self._rows(
            _TOLD, after=after, most=limit, every=projects is None, projects=sorted(projects or ())
        )
        return [_event(row) for row in rows]

    def _rows(self, query: str, **parameters: Any) -> Sequence[Row[Any]]:
        return self._connection.execute(text(query), parameters).all()

    def _do(self, statement: str, **parameters: Any) -> None:
        self._connection.execute(text(statement), parameters)


def _event(row: Row[Any]) -> OutboxEvent:
    return OutboxEvent(
        number=row.number,
        request_id=row.request_id,
        project=row.project,
        event=PackageEvent(row.event),
        at=row.at,
        state=ReleaseState(row.state),
        manifest_digest=row.package_digest,
        released_at=row.released_at,
    )


_TELL = """
    INSERT INTO governance.release_outbox (number, request_id, event, at)
    SELECT coalesce(max(number), 0) + 1, :id, :event, :at FROM governance.release_outbox
    HAVING NOT EXISTS (
        SELECT 1 FROM governance.release_outbox WHERE request_id = :id AND event = :event
    )
"""

_TOLD = """
    SELECT number, request_id, project, event, at, state, package_digest, released_at
    FROM governance.release_outbox JOIN governance.release_requests ON id = request_id
    WHERE number > :after AND (:every OR project = ANY(:projects))
    ORDER BY number LIMIT :most
"""
