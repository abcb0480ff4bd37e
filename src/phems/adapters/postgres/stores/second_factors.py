"""Second factors and recovery codes in Postgres."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from phems.domain.second_factor import SecondFactor


class PostgresSecondFactorsStore:
    """`SecondFactorStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> SecondFactor | None:
        """A user's second factor."""
        query = text("SELECT * FROM governance.second_factors WHERE user_name = :name")
        row = self._connection.execute(query, {"name": name}).first()
        if row is None:
            return None
        return SecondFactor(
            user_name=row.user_name,
            sealed=row.sealed,
            begun_at=row.begun_at,
            confirmed_at=row.confirmed_at,
            last_step=row.last_step,
        )

    def begin(self, factor: SecondFactor) -> bool:
        """Keep a secret that is not confirmed."""
        return self._changed(
            "INSERT INTO governance.second_factors AS f (user_name, sealed, begun_at) "
            "VALUES (:name, :sealed, :at) ON CONFLICT (user_name) DO UPDATE "
            "SET sealed = excluded.sealed, begun_at = excluded.begun_at, last_step = NULL "
            "WHERE f.confirmed_at IS NULL",
            name=factor.user_name,
            sealed=factor.sealed,
            at=factor.begun_at,
        )

    def confirm(self, name: str, at: datetime) -> bool:
        """Ask for it from now on."""
        return self._changed(
            "UPDATE governance.second_factors SET confirmed_at = :at "
            "WHERE user_name = :name AND confirmed_at IS NULL",
            name=name,
            at=at,
        )

    def use_step(self, name: str, step: int) -> bool:
        """Let a code count, once."""
        return self._changed(
            "UPDATE governance.second_factors SET last_step = :step "
            "WHERE user_name = :name AND (last_step IS NULL OR last_step < :step)",
            name=name,
            step=step,
        )

    def remove(self, name: str) -> bool:
        """Forget a user's second factor; their recovery codes go with it."""
        return self._changed("DELETE FROM governance.second_factors WHERE user_name = :name", name=name)

    def add_recovery_codes(self, name: str, hashes: Collection[str]) -> None:
        """Keep recovery codes."""
        rows = [{"name": name, "hash": code_hash} for code_hash in hashes]
        query = "INSERT INTO governance.recovery_codes (user_name, code_hash) VALUES (:name, :hash)"
        self._connection.execute(text(query), rows)

    def use_recovery_code(self, name: str, code_hash: str) -> bool:
        """Take out a recovery code."""
        return self._changed(
            "DELETE FROM governance.recovery_codes WHERE user_name = :name AND code_hash = :hash",
            name=name,
            hash=code_hash,
        )

    def recovery_codes_left(self, name: str) -> int:
        """How many a user has left."""
        query = text("SELECT count(*) FROM governance.recovery_codes WHERE user_name = :name")
        return int(self._connection.execute(query, {"name": name}).scalar_one())

    def _changed(self, statement: str, **values: Any) -> bool:
        return self._connection.execute(text(statement), values).rowcount > 0
