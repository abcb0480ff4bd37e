"""Users and failed sign-ins in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from phems.adapters.postgres.stores.user_grants import UserGrants
from phems.services.ports.users import SignInFailures, User


class PostgresUsersStore(UserGrants):
    """`UserStore` over one connection; tokens and sessions stand in a module of their own."""

    def add(self, user: User) -> bool:
        """Add a user; False when the name is taken."""
        return self._changed(
            "INSERT INTO governance.users (name, password_hash, created_at, created_by) "
            "VALUES (:name, :password_hash, :created_at, :created_by) ON CONFLICT (name) DO NOTHING",
            name=user.name,
            password_hash=user.password_hash,
            created_at=user.created_at,
            created_by=user.created_by,
        )

    def get(self, name: str) -> User | None:
        """A user by name."""
        row = self._first("SELECT * FROM governance.users WHERE name = :name", name=name)
        return None if row is None else _user(row)

    def all(self) -> Sequence[User]:
        """Every user, by name."""
        return [
            _user(row)
            for row in self._connection.execute(text("SELECT * FROM governance.users ORDER BY name"))
        ]

    def set_disabled(self, name: str, at: datetime | None) -> bool:
        """Shut a user out, or let them in again; False when it is so already."""
        return self._changed(
            "UPDATE governance.users SET disabled_at = :at "
            "WHERE name = :name AND (disabled_at IS NULL) <> (CAST(:at AS timestamptz) IS NULL)",
            name=name,
            at=at,
        )

    def set_password_hash(self, name: str, password_hash: str) -> None:
        """Replace a user's password."""
        self._changed(
            "UPDATE governance.users SET password_hash = :password_hash WHERE name = :name",
            name=name,
            password_hash=password_hash,
        )

    def failures(self, name: str) -> SignInFailures | None:
        """Failed sign-ins since the last that succeeded."""
        row = self._first(
            "SELECT failures, last_at FROM governance.sign_in_failures WHERE name = :name", name=name
        )
        return None if row is None else SignInFailures(row.failures, row.last_at)

    def record_failure(self, name: str, at: datetime) -> None:
        """Count one more; forget those that are long past, for anyone can make up names."""
        self._changed(
            "DELETE FROM governance.sign_in_failures WHERE last_at < :day", day=at - timedelta(days=1)
        )
        self._changed(
            "INSERT INTO governance.sign_in_failures AS f (name, failures, last_at) VALUES (:name, 1, :at) "
            "ON CONFLICT (name) DO UPDATE SET failures = f.failures + 1, last_at = excluded.last_at",
            name=name,
            at=at,
        )

    def forgive_failure(self, name: str) -> None:
        """Count one less."""
        self._changed(
            "UPDATE governance.sign_in_failures SET failures = failures - 1 "
            "WHERE name = :name AND failures > 0",
            name=name,
        )

    def clear_failures(self, name: str) -> None:
        """Forget them."""
        self._changed("DELETE FROM governance.sign_in_failures WHERE name = :name", name=name)


def _user(row: Row[Any]) -> User:
    return User(
        name=row.name,
        password_hash=row.password_hash,
        created_at=row.created_at,
        created_by=row.created_by,
        disabled_at=row.disabled_at,
    )
