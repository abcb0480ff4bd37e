"""API tokens and sessions in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.domain.authority import TokenScope
from phems.services.ports.users import ApiToken, Session


class UserGrants:
    """The part of `UserStore` about what stands for a user."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_token(self, token: ApiToken) -> None:
        """Add an API token."""
        scope = token.scope
        self._changed(
            "INSERT INTO governance.api_tokens (token_hash, user_name, created_at, expires_at, created_by, "
            "label, projects, verbs) VALUES (:hash, :user_name, :created_at, :expires_at, :created_by, "
            ":label, :projects, :verbs)",
            hash=token.secret_hash,
            user_name=token.user_name,
            created_at=token.created_at,
            expires_at=token.expires_at,
            created_by=token.created_by,
            label=token.label,
            projects=None if scope.projects is None else sorted(scope.projects),
            verbs=None if scope.verbs is None else sorted(scope.verbs),
        )

    def token(self, secret_hash: str) -> ApiToken | None:
        """An API token by the hash of its secret."""
        row = self._first("SELECT * FROM governance.api_tokens WHERE token_hash = :hash", hash=secret_hash)
        return None if row is None else _token(row)

    def tokens_of(self, name: str) -> Sequence[ApiToken]:
        """Every token of a user that is not revoked, newest first."""
        query = (
            "SELECT * FROM governance.api_tokens WHERE user_name = :name AND revoked_at IS NULL "
            "ORDER BY created_at DESC, token_hash"
        )
        return [_token(row) for row in self._connection.execute(text(query), {"name": name})]

    def token_used(self, secret_hash: str, at: datetime) -> None:
        """Remember when a token was last used."""
        self._changed(
            "UPDATE governance.api_tokens SET last_used_at = :at WHERE token_hash = :hash",
            hash=secret_hash,
            at=at,
        )

    def revoke_token(self, secret_hash: str, at: datetime) -> bool:
        """End a token; False when there is none that is open."""
        return self._changed(
            "UPDATE governance.api_tokens SET revoked_at = :at "
            "WHERE token_hash = :hash AND revoked_at IS NULL",
            hash=secret_hash,
            at=at,
        )

    def add_session(self, session: Session) -> None:
        """Add a session."""
        self._changed(
            "INSERT INTO governance.user_sessions (session_hash, user_name, created_at, expires_at, "
            "last_seen_at, method, groups, address, agent) VALUES (:hash, :user_name, :created_at, "
            ":expires_at, :last_seen_at, :method, :groups, :address, :agent)",
            groups=list(session.groups),
            hash=session.secret_hash,
            user_name=session.user_name,
            created_at=session.created_at,
            expires_at=session.expires_at,
            last_seen_at=session.last_seen_at,
            method=session.method,
            address=session.address,
            agent=session.agent,
        )

    def session(self, secret_hash: str) -> Session | None:
        """A session by the hash of its secret."""
        row = self._first(
            "SELECT * FROM governance.user_sessions WHERE session_hash = :hash", hash=secret_hash
        )
        return None if row is None else _session(row)

    def sessions_of(self, name: str) -> Sequence[Session]:
        """Every session of a user that is not revoked, newest first."""
        query = (
            "SELECT * FROM governance.user_sessions WHERE user_name = :name AND revoked_at IS NULL "
            "ORDER BY created_at DESC, session_hash"
        )
        return [_session(row) for row in self._connection.execute(text(query), {"name": name})]

    def session_seen(self, secret_hash: str, at: datetime) -> None:
        """Remember when a session was last used."""
        self._changed(
            "UPDATE governance.user_sessions SET last_seen_at = :at WHERE session_hash = :hash",
            hash=secret_hash,
            at=at,
        )

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

    def _first(self, query: str, **parameters: Any) -> Row[Any] | None:
        return self._connection.execute(text(query), parameters).first()

    def _changed(self, statement: str, **parameters: Any) -> bool:
        return self._connection.execute(text(statement), parameters).rowcount > 0


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        secret_hash=row.token_hash,
        user_name=row.user_name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        created_by=row.created_by,
        label=row.label,
        scope=TokenScope(
            None if row.projects is None else frozenset(row.projects),
            None if row.verbs is None else frozenset(row.verbs),
        ),
        last_used_at=row.last_used_at,
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        secret_hash=row.session_hash,
        user_name=row.user_name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_seen_at=row.last_seen_at,
        method=row.method,
        groups=tuple(row.groups),
        address=row.address,
        agent=row.agent,
    )
