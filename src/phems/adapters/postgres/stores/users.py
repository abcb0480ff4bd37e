"""Users and failed sign-ins in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from phems.adapters.postgres.stores.user_grants import UserGrants
from phems.services.ports.users import PendingSignIn, SignInFailures, User

_USERS = (
    "SELECT u.*, EXISTS (SELECT 1 FROM governance.second_factors AS f "
    "WHERE f.user_name = u.name AND f.confirmed_at IS NOT NULL) AS has_second_factor "
    "FROM governance.users AS u"
)


class PostgresUsersStore(UserGrants):
    """`UserStore` over one connection; tokens and sessions stand in a module of their own."""

    def add(self, user: User) -> bool:
        """Add a user; False when the name is taken."""
        return self._changed(
            "INSERT INTO governance.users (name, password_hash, created_at, created_by, issuer, subject) "
            "VALUES (:name, :password_hash, :created_at, :created_by, :issuer, :subject) "
            "ON CONFLICT (name) DO NOTHING",
            issuer=user.issuer,
            subject=user.subject,
            name=user.name,
            password_hash=user.password_hash,
            created_at=user.created_at,
            created_by=user.created_by,
        )

    def get(self, name: str) -> User | None:
        """A user by name."""
        row = self._first(f"{_USERS} WHERE name = :name", name=name)
        return None if row is None else _user(row)

    def all(self) -> Sequence[User]:
        """Every user, by name."""
        return [_user(row) for row in self._connection.execute(text(f"{_USERS} ORDER BY name"))]

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

    def set_email(self, name: str, email: str | None) -> None:
        """Where a user gets mail; None: nowhere."""
        self._changed("UPDATE governance.users SET email = :email WHERE name = :name", name=name, email=email)

    def of_subject(self, issuer: str, subject: str) -> User | None:
        """The user whom an identity provider knows as `subject`."""
        row = self._first(
            f"{_USERS} WHERE issuer = :issuer AND subject = :subject",
            issuer=issuer,
            subject=subject,
        )
        return None if row is None else _user(row)

    def link(self, name: str, issuer: str, subject: str) -> None:
        """Have an identity provider vouch for a user."""
        self._changed(
            "UPDATE governance.users SET issuer = :issuer, subject = :subject, password_hash = NULL, "
            "groups = '{}', groups_at = NULL WHERE name = :name",
            name=name,
            issuer=issuer,
            subject=subject,
        )

    def remember_groups(self, name: str, groups: Sequence[str], at: datetime) -> None:
        """The groups of a sign-in."""
        self._changed(
            "UPDATE governance.users SET groups = :groups, groups_at = :at WHERE name = :name",
            name=name,
            groups=list(groups),
            at=at,
        )

    def add_pending(self, pending: PendingSignIn, now: datetime) -> None:
        """Remember a sign-in that was begun."""
        self._changed("DELETE FROM governance.pending_sign_ins WHERE expires_at <= :now", now=now)
        self._changed(
            "INSERT INTO governance.pending_sign_ins (secret_hash, purpose, subject, next_path, expires_at) "
            "VALUES (:hash, :purpose, :subject, :next_path, :expires_at)",
            hash=pending.secret_hash,
            purpose=pending.purpose,
            subject=pending.subject,
            next_path=pending.next_path,
            expires_at=pending.expires_at,
        )

    def pending(self, secret_hash: str, purpose: str, now: datetime) -> PendingSignIn | None:
        """A sign-in that was begun, left where it is."""
        row = self._first(
            "SELECT * FROM governance.pending_sign_ins "
            "WHERE secret_hash = :hash AND purpose = :purpose AND expires_at > :now",
            hash=secret_hash,
            purpose=purpose,
            now=now,
        )
        return None if row is None else _pending(row)

    def take_pending(self, secret_hash: str, purpose: str, now: datetime) -> PendingSignIn | None:
        """Take out a sign-in that was begun."""
        row = self._first(
            "DELETE FROM governance.pending_sign_ins WHERE secret_hash = :hash AND purpose = :purpose "
            "AND expires_at > :now RETURNING *",
            hash=secret_hash,
            purpose=purpose,
            now=now,
        )
        return None if row is None else _pending(row)

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
        issuer=row.issuer,
        subject=row.subject,
        groups=tuple(row.groups),
        groups_at=row.groups_at,
        has_second_factor=row.has_second_factor,
        email=row.email,
    )


def _pending(row: Row[Any]) -> PendingSignIn:
    return PendingSignIn(
        secret_hash=row.secret_hash,
        purpose=row.purpose,
        subject=row.subject,
        next_path=row.next_path,
        expires_at=row.expires_at,
    )
