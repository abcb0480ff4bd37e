"""Local users, tokens, sessions and failed sign-ins in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.services.ports.users import Grant, SignInFailures, User

_GRANT_TABLES = {"api_tokens": "token_hash", "user_sessions": "session_hash"}


class PostgresUsersStore:
    """`UserStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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

    def set_password_hash(self, name: str, password_hash: str) -> None:
        """Replace a user's password."""
        self._changed(
            "UPDATE governance.users SET password_hash = :password_hash WHERE name = :name",
            name=name,
            password_hash=password_hash,
        )

    def add_token(self, token: Grant) -> None:
        """Add an API token."""
        self._add_grant("api_tokens", token)

    def token(self, secret_hash: str) -> Grant | None:
        """An API token by the hash of its secret."""
        return self._grant("api_tokens", secret_hash)

    def add_session(self, session: Grant) -> None:
        """Add a session."""
        self._add_grant("user_sessions", session)

    def session(self, secret_hash: str) -> Grant | None:
        """A session by the hash of its secret."""
        return self._grant("user_sessions", secret_hash)

    def revoke_session(self, secret_hash: str, at: datetime) -> bool:
        """End a session; False when there is none that is open."""
        return self._changed(
            "UPDATE governance.user_sessions SET revoked_at = :at "
            "WHERE session_hash = :hash AND revoked_at IS NULL",
            hash=secret_hash,
            at=at,
        )

    def revoke_sessions_of(self, name: str, at: datetime) -> int:
        """End every open session of a user."""
        ended = self._connection.execute(
            text(
                "UPDATE governance.user_sessions SET revoked_at = :at "
                "WHERE user_name = :name AND revoked_at IS NULL"
            ),
            {"name": name, "at": at},
        )
        return ended.rowcount

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

    def clear_failures(self, name: str) -> None:
        """Forget them."""
        self._changed("DELETE FROM governance.sign_in_failures WHERE name = :name", name=name)

    def _add_grant(self, table: str, grant: Grant) -> None:
        self._changed(
            f"INSERT INTO governance.{table} ({_GRANT_TABLES[table]}, user_name, created_at, expires_at) "  # noqa: S608
            "VALUES (:hash, :user_name, :created_at, :expires_at)",
            hash=grant.secret_hash,
            user_name=grant.user_name,
            created_at=grant.created_at,
            expires_at=grant.expires_at,
        )

    def _grant(self, table: str, secret_hash: str) -> Grant | None:
        column = _GRANT_TABLES[table]
        query = f"SELECT *, {column} AS hash FROM governance.{table} WHERE {column} = :hash"  # noqa: S608
        row = self._first(query, hash=secret_hash)
        if row is None:
            return None
        return Grant(
            secret_hash=row.hash,
            user_name=row.user_name,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )

    def _first(self, query: str, **parameters: Any) -> Row[Any] | None:
        return self._connection.execute(text(query), parameters).first()

    def _changed(self, statement: str, **parameters: Any) -> bool:
        return self._connection.execute(text(statement), parameters).rowcount > 0


def _user(row: Row[Any]) -> User:
    return User(
        name=row.name,
        password_hash=row.password_hash,
        created_at=row.created_at,
        created_by=row.created_by,
        disabled_at=row.disabled_at,
    )
