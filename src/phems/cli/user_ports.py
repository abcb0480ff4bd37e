"""What `phems user` needs of a node, as a Protocol, and what it prints: see `phems.cli.ports`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from phems.cli.ports import MadeSecret
    from phems.domain.actors import Actor


@dataclass(frozen=True, slots=True)
class UserRow:
    """One user, without what is secret."""

    name: str
    has_password: bool
    has_second_factor: bool
    email: str | None
    created_at: datetime
    created_by: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token, without what is secret."""

    id: str
    label: str
    scope: str
    projects: list[str] | None
    verbs: list[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session, without what is secret."""

    id: str
    method: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class LinkedUser:
    """Where a user signs in from now on."""

    name: str
    issuer: str | None
    subject: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWish:
    """A token to make: for so many days, or to the end of a day; for these projects and verbs, or for all."""

    days: int | None
    last_day: datetime | None
    label: str
    projects: Sequence[str]
    verbs: Sequence[str]
    read_only: bool


class UserPort(Protocol):
    """Users, their tokens and sessions."""

    def add(self, actor: Actor, name: str, password: str | None) -> UserRow: ...
    def list(self) -> Sequence[UserRow]: ...
    def set_password(self, actor: Actor, name: str, password: str) -> None: ...
    def set_email(self, actor: Actor, name: str, email: str | None) -> None: ...
    def issue_token(self, actor: Actor, name: str, wish: TokenWish) -> MadeSecret: ...
    def tokens(self, name: str) -> Sequence[TokenRow]: ...
    def revoke_token(self, actor: Actor, name: str, token_id: str) -> str: ...
    def sessions(self, name: str) -> Sequence[SessionRow]: ...
    def end_session(self, actor: Actor, name: str, session_id: str) -> None: ...
    def end_sessions(self, actor: Actor, name: str) -> int: ...
    def reset_second_factor(self, actor: Actor, name: str) -> None: ...
    def link(self, actor: Actor, name: str, subject: str) -> LinkedUser: ...
