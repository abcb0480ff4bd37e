"""What the gateway needs of accounts, as Protocols.

`phems.services.users.Users` fits `Accounts`, `phems.services.coordinators.Coordinators` fits
`CoordinatorTokens`.
"""

from __future__ import annotations

from typing import Protocol

from phems.domain.actors import Actor


class OpenedSession(Protocol):
    """A session just opened: the one time its secret is known."""

    @property
    def secret(self) -> str: ...


class Accounts(Protocol):
    """Who signs in. The methods block (a database, a password hash): the gateway calls them in threads."""

    def authenticate_password(self, name: str, password: str) -> Actor:
        """The person with that name and password; RefusedError does not say which of the two was wrong."""
        ...

    def authenticate_token(self, token: str) -> Actor:
        """The person an API token stands for; RefusedError when it is unknown, expired or revoked."""
        ...

    def open_session(self, actor: Actor) -> OpenedSession:
        """A session for who has just signed in."""
        ...

    def session_user(self, session: str) -> Actor | None:
        """Whose session it is; None when it is unknown, expired or closed."""
        ...

    def close_session(self, session: str) -> None:
        """Sign out; nothing happens when the session is not open."""
        ...


class CoordinatorTokens(Protocol):
    """Which federation coordinator comes with a token. Blocks, too."""

    def authenticate(self, token: str) -> Actor | None:
        """The coordinator, or None."""
        ...
