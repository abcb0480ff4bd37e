"""What the gateway needs of accounts, as Protocols.

`phems.services.users.Users` fits `Accounts`, `phems.services.coordinators.Coordinators` fits
`CoordinatorTokens`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from phems.domain.actors import Actor
from phems.domain.authority import Authority, TokenScope
from phems.services.oidc_sign_ins import BegunSignIn, FinishedSignIn, SignInWays
from phems.services.password_sign_ins import HalfSignIn, PasswordSignIn
from phems.services.ports.users import ApiToken, Session
from phems.services.second_factors import SecondFactorState
from phems.services.user_sessions import Client


class OpenedSession(Protocol):
    """A session or token just made: the one time its secret is known."""

    @property
    def secret(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...


class Accounts(Protocol):
    """Who signs in. The methods block (a database, a password hash): the gateway calls them in threads."""

    def authenticate_password(self, name: str, password: str, address: str, code: str) -> Actor:
        """The person with that name, password and, where they have a second factor, code.

        RefusedError does not say which of the first two was wrong; CodeNeededError when the code is missing.
        """
        ...

    def begin_password(
        self, name: str, password: str, address: str, next_path: str
    ) -> PasswordSignIn | HalfSignIn:
        """As above, where the code comes in a second step."""
        ...

    def finish_password(self, half: str, code: str, address: str) -> PasswordSignIn:
        """The second step; RefusedError when the code is wrong, which may be followed by another."""
        ...

    def second_factor(self, name: str) -> SecondFactorState:
        """How it stands with a person's second factor."""
        ...

    def begin_second_factor(self, actor: Actor) -> None:
        """Make a secret for the actor's app."""
        ...

    def confirm_second_factor(self, actor: Actor, code: str, session_id: str) -> Sequence[str]:
        """Ask the actor for codes from now on; gives their recovery codes."""
        ...

    def remove_second_factor(self, actor: Actor, password: str, code: str, address: str) -> None:
        """Give up the actor's second factor."""
        ...

    def authenticate_token(self, token: str) -> Authority:
        """Whom an API token stands for; RefusedError when it is unknown, expired or revoked."""
        ...

    def ways(self) -> SignInWays:
        """How people may sign in."""
        ...

    def begin_oidc(self, redirect_uri: str, next_path: str) -> BegunSignIn:
        """Send a browser to the identity provider."""
        ...

    def finish_oidc(self, redirect_uri: str, answer: Mapping[str, str], browser: str) -> FinishedSignIn:
        """Who has come back from the identity provider; RefusedError when its word does not hold."""
        ...

    def open_session(
        self, actor: Actor, client: Client, *, method: str, groups: Collection[str]
    ) -> OpenedSession:
        """A session for who has just signed in."""
        ...

    def session_user(self, session: str) -> Authority | None:
        """Whose session it is; None when it is unknown, expired or closed."""
        ...

    def close_session(self, session: str) -> None:
        """Sign out; nothing happens when the session is not open."""
        ...

    def list_sessions(self, name: str) -> Sequence[Session]:
        """A person's open sessions, newest first."""
        ...

    def end_session(self, actor: Actor, name: str, session_id: str) -> None:
        """End one session of a person."""
        ...

    def end_sessions(self, actor: Actor, name: str) -> int:
        """Sign a person out everywhere; how many sessions that ended."""
        ...

    def list_tokens(self, name: str) -> Sequence[ApiToken]:
        """A person's tokens that let somebody in, newest first."""
        ...

    def issue_token(
        self, actor: Actor, name: str, *, lifetime: timedelta, label: str, scope: TokenScope
    ) -> OpenedSession:
        """A new API token of a person."""
        ...

    def revoke_token(self, actor: Actor, name: str, token_id: str) -> ApiToken:
        """End a token."""
        ...


class CoordinatorTokens(Protocol):
    """Which federation coordinator comes with a token. Blocks, too."""

    def authenticate(self, token: str) -> Actor | None:
        """The coordinator, or None."""
        ...
