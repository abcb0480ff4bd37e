"""The register of approvers' public keys in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.domain.approver_keys import ApproverKey, ApproverKeyState


class PostgresApproverKeysStore:
    """`ApproverKeyStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self, person: str) -> None:
        """Hold a person's keys until the transaction ends."""
        self._connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended('phems approver key ' || :person, 0))"),
            {"person": person},
        )

    def get(self, key_id: str) -> ApproverKey | None:
        """A key by its id."""
        return next(iter(self._select("key_id = :value", key_id)), None)

    def of_person(self, person: str) -> Sequence[ApproverKey]:
        """All keys of a person, newest first."""
        return self._select("person = :value", person)

    def save(self, key: ApproverKey) -> None:
        """Add it, or bring its state up to date. Whose it is and what it is never changes."""
        self._connection.execute(
            text(
                """
                INSERT INTO governance.approver_keys (
                    key_id, person, public_key, held_by, registered_at, registered_by,
                    state, ended_at, ended_by, reason
                ) VALUES (
                    :key_id, :person, :public_key, :held_by, :registered_at, :registered_by,
                    :state, :ended_at, :ended_by, :reason
                ) ON CONFLICT (key_id) DO UPDATE SET
                    state = excluded.state, ended_at = excluded.ended_at, ended_by = excluded.ended_by,
                    reason = excluded.reason
                """
            ),
            {
                "key_id": key.key_id,
                "person": key.person,
                "public_key": key.public_key,
                "held_by": key.held_by,
                "registered_at": key.registered_at,
                "registered_by": key.registered_by,
                "state": key.state.value,
                "ended_at": key.ended_at,
                "ended_by": key.ended_by,
                "reason": key.reason,
            },
        )

    def _select(self, condition: str, value: str) -> list[ApproverKey]:
        query = (
            f"SELECT * FROM governance.approver_keys WHERE {condition} ORDER BY registered_at DESC, key_id"  # noqa: S608
        )
        return [_key(row) for row in self._connection.execute(text(query), {"value": value})]


def _key(row: Row[Any]) -> ApproverKey:
    return ApproverKey(
        person=row.person,
        key_id=row.key_id,
        public_key=row.public_key,
        held_by=row.held_by,
        registered_at=row.registered_at,
        registered_by=row.registered_by,
        state=ApproverKeyState(row.state),
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        reason=row.reason,
    )
