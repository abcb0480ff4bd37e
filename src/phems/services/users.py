"""Users: adding them, and their passwords. Signing in, tokens and sessions stand in modules of their own.

Each change and each refused sign-in is in the audit log; requests made with a token or a session are not,
what they do is. Who may manage users is the caller's to check (`user.manage`): the command line acts as
`LOCAL_OPERATOR`, who can read the node's keys.
"""

from __future__ import annotations

from collections.abc import Sequence

from phems.domain import sign_in
from phems.domain.actors import Actor
from phems.errors import InputError, RefusedError
from phems.services.accounts import Secret, existing, hash_secret
from phems.services.password_sign_ins import PasswordSignIns
from phems.services.ports.users import User
from phems.services.user_sessions import Client, UserSessions
from phems.services.user_tokens import UserTokens

__all__ = ["Client", "Secret", "Users", "hash_secret"]


class Users(UserTokens, UserSessions, PasswordSignIns):
    """The use cases around users."""

    def add_user(self, actor: Actor, name: str, password: str | None = None) -> User:
        """Add a user; without a password they can use tokens alone. InputError when the name is taken."""
        sign_in.check_name(name)
        hashed = None if password is None else self._passwords.hash(sign_in.check_password(password))
        user = User(name=name, password_hash=hashed, created_at=self._clock.now(), created_by=actor.name)
        with self._governance.transaction() as tx:
            if not tx.users.add(user):
                raise InputError(
                    f"There is a user {name} already.", why="names are unique.", remedy="phems user list"
                )
            tx.audit.append(actor, "user.add", name, details={"has_password": hashed is not None})
        return user

    def list_users(self) -> Sequence[User]:
        """Every user, by name."""
        with self._governance.transaction() as tx:
            return tx.users.all()

    def set_password(self, actor: Actor, name: str, password: str) -> None:
        """Replace a user's password and end their sessions."""
        hashed = self._passwords.hash(sign_in.check_password(password))
        with self._governance.transaction() as tx:
            if existing(tx, name).issuer is not None:
                raise RefusedError(
                    f"{name} has no password here.",
                    why="they sign in at the identity provider.",
                    remedy="Change it there.",
                )
            tx.users.set_password_hash(name, hashed)
            tx.users.clear_failures(name)
            ended = tx.users.revoke_sessions_of(name, self._clock.now())
            tx.audit.append(actor, "user.set_password", name, details={"sessions_ended": ended})

    def set_email(self, actor: Actor, name: str, email: str | None) -> None:
        """Have mail for a user go to an address; None: nowhere. The log is told that, and not the address."""
        if email is not None:
            sign_in.check_email(email)
        with self._governance.transaction() as tx:
            existing(tx, name)
            tx.users.set_email(name, email)
            tx.audit.append(actor, "user.set_email", name, details={"has_email": email is not None})

    def disable_user(self, actor: Actor, name: str) -> None:
        """Shut a user out: neither password, token nor session lets them in, until they are let in again."""
        if actor.name == name:
            raise RefusedError(
                "You cannot shut yourself out.",
                why="a node whose last operator is shut out can be helped from its own machine alone.",
                remedy="Ask another operator.",
            )
        now = self._clock.now()
        with self._governance.transaction() as tx:
            existing(tx, name)
            if not tx.users.set_disabled(name, now):
                raise RefusedError(f"{name} is disabled already.", remedy="phems user list")
            ended = tx.users.revoke_sessions_of(name, now)
            tx.audit.append(actor, "user.disable", name, details={"sessions_ended": ended})

    def enable_user(self, actor: Actor, name: str) -> None:
        """Let a user in again. Sessions stay ended; tokens that have not expired count again."""
        with self._governance.transaction() as tx:
            existing(tx, name)
            if not tx.users.set_disabled(name, None):
                raise RefusedError(f"{name} is not disabled.", remedy="phems user list")
            tx.audit.append(actor, "user.enable", name)
