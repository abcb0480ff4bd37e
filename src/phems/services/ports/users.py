"""Local users, their API tokens and sessions, as the use cases see them. Secrets come in as hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phems.domain.authority import EVERYTHING, TokenScope

ID_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A local user."""

    name: str
    password_hash: str | None
    """argon2id, or None for a user who can use tokens alone."""
    created_at: datetime
    created_by: str
    disabled_at: datetime | None = None
    issuer: str | None = None
    """The identity provider that vouches for them; None for a local user."""
    subject: str | None = None
    """Who they are there."""
    groups: tuple[str, ...] = ()
    """Their groups there, as of `groups_at`."""
    groups_at: datetime | None = None
    has_second_factor: bool = False
    """Whether a code is asked for beside the password."""
    email: str | None = None
    """Where they are told that they are waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an API token and a session share: who it stands for and until when."""

    secret_hash: str
    """SHA-256 of the secret, 64 hex digits."""
    user_name: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    @property
    def id(self) -> str:
        """The name that people call it by: it lets nobody in."""
        return self.secret_hash[:ID_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken(Grant):
    """An API token."""

    created_by: str = ""
    label: str = ""
    scope: TokenScope = EVERYTHING
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Grant):
    """A session of the gateway: from where it was opened, how, and when it was last used."""

    last_seen_at: datetime
    method: str = "password"
    groups: tuple[str, ...] = ()
    """The groups of the identity provider, as of the sign-in."""
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSignIn:
    """A sign-in that was begun and is not finished."""

    secret_hash: str
    purpose: str
    subject: str
    """What it is about, such as the hash of the browser's secret."""
    next_path: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignInFailures:
    """Failed sign-ins under one name since the last that succeeded."""

    count: int
    last_at: datetime


class UserStore(Protocol):
    """Users, tokens, sessions and failed sign-ins, within one transaction."""

    def add(self, user: User) -> bool:
        """Add a user; False when the name is taken (nothing changed)."""
        ...

    def get(self, name: str) -> User | None: ...

    def all(self) -> Sequence[User]:
        """Every user, by name."""
        ...

    def set_password_hash(self, name: str, password_hash: str) -> None: ...

    def set_email(self, name: str, email: str | None) -> None: ...

    def set_disabled(self, name: str, at: datetime | None) -> bool:
        """Shut a user out as of then, or (None) let them in again; False when it is so already."""
        ...

    def of_subject(self, issuer: str, subject: str) -> User | None:
        """The user whom an identity provider knows as `subject`."""
        ...

    def link(self, name: str, issuer: str, subject: str) -> None:
        """Have an identity provider vouch for a user: their password goes."""
        ...

    def remember_groups(self, name: str, groups: Sequence[str], at: datetime) -> None: ...

    def add_pending(self, pending: PendingSignIn, now: datetime) -> None:
        """Remember a sign-in that was begun; those that are too old are forgotten."""
        ...

    def pending(self, secret_hash: str, purpose: str, now: datetime) -> PendingSignIn | None:
        """A sign-in that was begun, left where it is."""
        ...

    def take_pending(self, secret_hash: str, purpose: str, now: datetime) -> PendingSignIn | None:
        """Take out a sign-in that was begun: the next who asks finds none."""
        ...

    def add_token(self, token: ApiToken) -> None: ...

    def token(self, secret_hash: str) -> ApiToken | None: ...

    def tokens_of(self, name: str) -> Sequence[ApiToken]:
        """Every token of a user that is not revoked, newest first."""
        ...

    def token_used(self, secret_hash: str, at: datetime) -> None: ...

    def revoke_token(self, secret_hash: str, at: datetime) -> bool:
        """End a token; False when there is none that is open."""
        ...

    def add_session(self, session: Session) -> None: ...

    def session(self, secret_hash: str) -> Session | None: ...

    def sessions_of(self, name: str) -> Sequence[Session]:
        """Every session of a user that is not revoked, newest first."""
        ...

    def session_seen(self, secret_hash: str, at: datetime) -> None: ...

    def revoke_session(self, secret_hash: str, at: datetime) -> bool:
        """End a session; False when there is none that is open."""
        ...

    def revoke_sessions_of(self, name: str, at: datetime) -> int:
        """End every open session of a user; how many there were."""
        ...

    def failures(self, name: str) -> SignInFailures | None: ...

    def record_failure(self, name: str, at: datetime) -> None: ...

    def forgive_failure(self, name: str) -> None:
        """Count one less: the try that was counted before it was made did not fail."""
        ...

    def clear_failures(self, name: str) -> None: ...
