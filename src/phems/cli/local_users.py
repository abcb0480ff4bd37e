"""`LocalUsers`: the users of the node in a folder of this machine, as `phems user` sees them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from phems.cli.user_ports import LinkedUser, SessionRow, TokenRow, TokenWish, UserRow
from phems.domain.authority import scope_of

if TYPE_CHECKING:
    from phems.bootstrap import Node
    from phems.cli.ports import MadeSecret
    from phems.domain.actors import Actor
    from phems.services.ports.users import User

DAYS = 90


class LocalUsers:
    """`UserPort` over the use cases."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def add(self, actor: Actor, name: str, password: str | None) -> UserRow:
        """Add a user."""
        return self._row(self._node.users.add_user(actor, name, password))

    def list(self) -> Sequence[UserRow]:
        """Every user, by name."""
        return [self._row(user) for user in self._node.users.list_users()]

    def set_password(self, actor: Actor, name: str, password: str) -> None:
        """Set a password."""
        self._node.users.set_password(actor, name, password)

    def set_email(self, actor: Actor, name: str, email: str | None) -> None:
        """Set where a user gets mail."""
        self._node.users.set_email(actor, name, email)

    def issue_token(self, actor: Actor, name: str, wish: TokenWish) -> MadeSecret:
        """Make a token."""
        known = self._node.spec.projects
        scope = scope_of(wish.projects, wish.verbs, read_only=wish.read_only, known=known)
        lifetime = timedelta(days=wish.days or DAYS)
        if wish.last_day is not None:
            end = datetime.combine(wish.last_day.date() + timedelta(days=1), time(), UTC)
            lifetime = end - self._node.clock.now()
        return self._node.users.issue_token(actor, name, lifetime=lifetime, label=wish.label, scope=scope)

    def tokens(self, name: str) -> Sequence[TokenRow]:
        """A user's tokens that are not ended."""
        return [
            TokenRow(
                id=found.id,
                label=found.label,
                scope=str(found.scope),
                projects=None if found.scope.projects is None else sorted(found.scope.projects),
                verbs=None if found.scope.verbs is None else sorted(found.scope.verbs),
                created_at=found.created_at,
                created_by=found.created_by,
                expires_at=found.expires_at,
                last_used_at=found.last_used_at,
            )
            for found in self._node.users.list_tokens(name)
        ]

    def revoke_token(self, actor: Actor, name: str, token_id: str) -> str:
        """End a token; gives its id."""
        return self._node.users.revoke_token(actor, name, token_id).id

    def sessions(self, name: str) -> Sequence[SessionRow]:
        """Where a user is signed in."""
        return [
            SessionRow(
                id=found.id,
                method=found.method,
                created_at=found.created_at,
                last_seen_at=found.last_seen_at,
                expires_at=found.expires_at,
                address=found.address,
                agent=found.agent,
            )
            for found in self._node.users.list_sessions(name)
        ]

    def end_session(self, actor: Actor, name: str, session_id: str) -> None:
        """End a session."""
        self._node.users.end_session(actor, name, session_id)

    def end_sessions(self, actor: Actor, name: str) -> int:
        """End all of a user's sessions."""
        return self._node.users.end_sessions(actor, name)

    def reset_second_factor(self, actor: Actor, name: str) -> None:
        """Take a user's second factor away."""
        self._node.users.reset_second_factor(actor, name)

    def link(self, actor: Actor, name: str, subject: str) -> LinkedUser:
        """Have a user sign in at the identity provider."""
        linked = self._node.users.link(actor, name, subject)
        return LinkedUser(linked.name, linked.issuer, linked.subject)

    def _row(self, user: User) -> UserRow:
        return UserRow(
            name=user.name,
            has_password=user.password_hash is not None,
            has_second_factor=user.has_second_factor,
            email=user.email,
            created_at=user.created_at,
            created_by=user.created_by,
            roles=self._roles(user.name),
        )

    def _roles(self, name: str) -> tuple[str, ...]:
        """The roles of a name in node.yaml, a project's as `role@project`."""
        spec = self._node.spec
        node_wide = [role for role, names in spec.roles if name in names]
        inside = [
            f"{role}@{title}"
            for title, project in spec.projects.items()
            for role, names in project.members
            if name in names
        ]
        return (*node_wide, *inside)
