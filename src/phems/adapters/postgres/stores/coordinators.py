"""Tokens of federation coordinators in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.services.ports.coordinators import CoordinatorToken


class PostgresCoordinatorsStore:
    """`CoordinatorStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_token(self, token: CoordinatorToken) -> None:
        """Add a token."""
        self._connection.execute(
            text(
                "INSERT INTO governance.coordinator_tokens "
                "(token_hash, coordinator, created_at, created_by, expires_at) "
                "VALUES (:hash, :coordinator, :created_at, :created_by, :expires_at)"
            ),
            {
                "hash": token.secret_hash,
                "coordinator": token.coordinator,
                "created_at": token.created_at,
                "created_by": token.created_by,
                "expires_at": token.expires_at,
            },
        )

    def token(self, secret_hash: str) -> CoordinatorToken | None:
        """A token by the hash of its secret."""
        query = text("SELECT * FROM governance.coordinator_tokens WHERE token_hash = :hash")
        row = self._connection.execute(query, {"hash": secret_hash}).first()
        return None if row is None else _token(row)

    def tokens(self) -> Sequence[CoordinatorToken]:
        """Every token, oldest first."""
        query = text("SELECT * FROM governance.coordinator_tokens ORDER BY created_at, token_hash")
        return [_token(row) for row in self._connection.execute(query)]

    def revoke_tokens_of(self, coordinator: str, at: datetime) -> int:
        """End every token of a coordinator that is not ended yet."""
        ended = self._connection.execute(
            text(
                "UPDATE governance.coordinator_tokens SET revoked_at = :at "
                "WHERE coordinator = :coordinator AND revoked_at IS NULL"
            ),
            {"coordinator": coordinator, "at": at},
        )
        return ended.rowcount


def _token(row: Row[Any]) -> CoordinatorToken:
    return CoordinatorToken(
        secret_hash=row.token_hash,
        coordinator=row.coordinator,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
