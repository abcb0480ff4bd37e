"""Users, their tokens and sessions, of a node at an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from phems.cli.ports import MadeSecret
from phems.cli.remote.api import NodeApi, part
from phems.cli.remote.people import GivenToken
from phems.cli.user_ports import LinkedUser, SessionRow, TokenRow, TokenWish, UserRow
from phems.domain.actors import Actor
from phems.domain.authority import TokenScope
from phems.domain.permissions import Role

DAYS = 90
_ORDER = [role.value for role in Role]


class RemoteUsers:
    """`UserPort` over the API."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    def add(self, _actor: Actor, name: str, password: str | None) -> UserRow:
        """Add a user."""
        return self._row(self._api.post("/users", {"name": name, "password": password}))

    def list(self) -> Sequence[UserRow]:
        """Every user, by name."""
        return [self._row(row) for row in self._api.pages("/users")]

    def set_password(self, _actor: Actor, name: str, password: str) -> None:
        """Set a password."""
        self._api.post(f"{_user(name)}/password", {"password": password})

    def set_email(self, _actor: Actor, name: str, email: str | None) -> None:
        """Set where a user gets mail."""
        self._api.post(f"{_user(name)}/email", {"email": email})

    def issue_token(self, _actor: Actor, name: str, wish: TokenWish) -> MadeSecret:
        """Make a token. The API counts whole days: a token to the end of a day ends at this time of it."""
        days = wish.days or DAYS
        if wish.last_day is not None:
            days = (wish.last_day.date() - datetime.now(UTC).date()).days
        body = {
            "days": days,
            "label": wish.label,
            "projects": list(wish.projects),
            "verbs": list(wish.verbs),
            "read_only": wish.read_only,
        }
        made = self._api.post(f"{_user(name)}/tokens", body)
        return self._api.decode(GivenToken, {"secret": made["token"], "expires_at": made["expires_at"]})

    def tokens(self, name: str) -> Sequence[TokenRow]:
        """A user's tokens that are not ended."""
        rows = self._api.get(f"{_user(name)}/tokens")
        return [self._api.decode(TokenRow, {**row, "scope": self._scope(row)}) for row in rows]

    def revoke_token(self, _actor: Actor, name: str, token_id: str) -> str:
        """End a token; gives its id."""
        return str(self._api.post(f"{_user(name)}/tokens/{part(token_id)}/revoke")["id"])

    def sessions(self, name: str) -> Sequence[SessionRow]:
        """Where a user is signed in."""
        return [self._api.decode(SessionRow, row) for row in self._api.get(f"{_user(name)}/sessions")]

    def end_session(self, _actor: Actor, name: str, session_id: str) -> None:
        """End a session."""
        self._api.post(f"{_user(name)}/sessions/{part(session_id)}/end")

    def end_sessions(self, _actor: Actor, name: str) -> int:
        """End all of a user's sessions."""
        return int(self._api.post(f"{_user(name)}/sessions/end")["sessions_ended"])

    def reset_second_factor(self, _actor: Actor, name: str) -> None:
        """Take a user's second factor away."""
        self._api.post(f"{_user(name)}/second-factor/reset")

    def link(self, _actor: Actor, name: str, subject: str) -> LinkedUser:
        """Have a user sign in at the identity provider."""
        return self._api.decode(LinkedUser, self._api.post(f"{_user(name)}/link", {"subject": subject}))

    def _row(self, row: Mapping[str, Any]) -> UserRow:
        inside = [
            f"{role}@{project}" for project, roles in row["project_roles"].items() for role in _ordered(roles)
        ]
        return self._api.decode(UserRow, {**row, "roles": [*_ordered(row["node_roles"]), *inside]})

    def _scope(self, row: Mapping[str, Any]) -> str:
        return str(self._api.decode(TokenScope, {"projects": row["projects"], "verbs": row["verbs"]}))


def _ordered(roles: Sequence[str]) -> Sequence[str]:
    """Roles in the order that node.yaml has them in."""
    return sorted(roles, key=lambda role: _ORDER.index(role) if role in _ORDER else len(_ORDER))


def _user(name: str) -> str:
    return f"/users/{part(name)}"
