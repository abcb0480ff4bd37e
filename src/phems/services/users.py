"""Local users: adding them, their passwords and tokens, signing in, and the sessions of the gateway.

Secrets (tokens, sessions) are 256 random bits, shown once and stored as SHA-256: a copy of the database
lets nobody in. Each change and each refused sign-in is in the audit log; requests made with a token or a
session are not, what they do is. Who may manage users is the caller's to check (`user.manage`): the
command line acts as `LOCAL_OPERATOR`, who can read the node's keys.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phems.domain import sign_in
from phems.domain.actors import NODE, Actor
from phems.errors import InputError, NotFoundError, RefusedError
from phems.services.ports import Governance, Transaction
from phems.services.ports.clock import Clock
from phems.services.ports.passwords import PasswordHasher
from phems.services.ports.users import Grant, User


@dataclass(frozen=True, slots=True)
class Secret:
    """A token or session just made: the one time its secret is known."""

    secret: str
    user_name: str
    expires_at: datetime


class Users:
    """The use cases around local users."""

    def __init__(self, governance: Governance, *, clock: Clock, passwords: PasswordHasher) -> None:
        self._governance = governance
        self._clock = clock
        self._passwords = passwords

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
            _existing(tx, name)
            tx.users.set_password_hash(name, hashed)
            tx.users.clear_failures(name)
            ended = tx.users.revoke_sessions_of(name, self._clock.now())
            tx.audit.append(actor, "user.set_password", name, details={"sessions_ended": ended})

    def issue_token(self, actor: Actor, name: str, *, lifetime: timedelta = sign_in.TOKEN_LIFETIME) -> Secret:
        """A new API token for a user."""
        if lifetime <= timedelta(0):
            raise InputError("The token would be expired.", why=f"its lifetime is {lifetime}.")
        token = self._new_secret(name, lifetime)
        with self._governance.transaction() as tx:
            _existing(tx, name)
            tx.users.add_token(self._grant(token))
            expires = token.expires_at.isoformat()
            tx.audit.append(actor, "user.issue_token", name, details={"expires_at": expires})
        return token

    def authenticate_password(self, name: str, password: str) -> Actor:
        """The user who signs in; RefusedError says the same for an unknown name and a wrong password.

        Each try counts as failed until it has succeeded, so that many at once are slowed down as well.
        """
        known_form = sign_in.NAME.fullmatch(name) is not None and len(password) <= sign_in.LONGEST_PASSWORD
        user = self._begin_try(name) if known_form else None
        usable = user is not None and user.disabled_at is None
        matches = self._passwords.matches(user.password_hash if user and usable else None, password[:1024])
        with self._governance.transaction() as tx:
            if matches:
                tx.users.clear_failures(name)
                return Actor(name)
            # What was typed as an unknown name may be a password: it is not written down.
            tx.audit.append(NODE, "user.sign_in", name if user else "unknown", result="refused")
        raise _refused("the name or the password is wrong.")

    def authenticate_token(self, token: str) -> Actor:
        """The user whom an API token stands for."""
        with self._governance.transaction() as tx:
            grant = tx.users.token(hash_secret(token)) if token.startswith(sign_in.TOKEN_PREFIX) else None
            actor = self._whom(tx, grant)
        if actor is None:
            raise _refused("the token is unknown, expired or revoked.")
        return actor

    def open_session(self, actor: Actor) -> Secret:
        """A session for a user who has just signed in."""
        session = self._new_secret(actor.name, sign_in.SESSION_LIFETIME)
        with self._governance.transaction() as tx:
            tx.users.add_session(self._grant(session))
            tx.audit.append(actor, "session.open", actor.name)
        return session

    def session_user(self, session: str) -> Actor | None:
        """The user of a session; None when it is unknown, expired or closed."""
        with self._governance.transaction() as tx:
            return self._whom(tx, tx.users.session(hash_secret(session)))

    def close_session(self, session: str) -> None:
        """Sign out. Nothing happens when the session is not open."""
        hashed = hash_secret(session)
        with self._governance.transaction() as tx:
            grant = tx.users.session(hashed)
            if grant is not None and tx.users.revoke_session(hashed, self._clock.now()):
                tx.audit.append(Actor(grant.user_name), "session.close", grant.user_name)

    def _begin_try(self, name: str) -> User | None:
        now = self._clock.now()
        with self._governance.transaction() as tx:
            earlier = tx.users.failures(name)
            wait = sign_in.wait_after(earlier.count, earlier.last_at, now) if earlier else timedelta(0)
            if wait > timedelta(0):
                raise _refused(
                    f"too many tries under this name failed; the next counts in {wait.seconds + 1} s."
                )
            tx.users.record_failure(name, now)
            return tx.users.get(name)

    def _whom(self, tx: Transaction, grant: Grant | None) -> Actor | None:
        if grant is None or grant.revoked_at is not None or grant.expires_at <= self._clock.now():
            return None
        user = tx.users.get(grant.user_name)
        return Actor(user.name) if user is not None and user.disabled_at is None else None

    def _new_secret(self, name: str, lifetime: timedelta) -> Secret:
        return Secret(sign_in.TOKEN_PREFIX + secrets.token_urlsafe(32), name, self._clock.now() + lifetime)

    def _grant(self, secret: Secret) -> Grant:
        return Grant(
            secret_hash=hash_secret(secret.secret),
            user_name=secret.user_name,
            created_at=self._clock.now(),
            expires_at=secret.expires_at,
        )


def hash_secret(secret: str) -> str:
    """How a token or session is stored. A plain hash is enough: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _existing(tx: Transaction, name: str) -> User:
    user = tx.users.get(name)
    if user is None:
        raise NotFoundError(f"There is no user {name}.", remedy=f"phems user list, or phems user add {name}")
    return user


def _refused(why: str) -> RefusedError:
    return RefusedError("Signing in failed.", why=why, remedy="Ask an operator: phems user token NAME")
