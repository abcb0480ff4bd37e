"""Signing in with a password, and with a code where somebody has a second factor.

A try counts as failed until it has succeeded, so that many at once are slowed down as well. A right password
does not end the count where a code is still to come: whoever has the password alone guesses codes as slowly
as others guess passwords.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from phems.domain import sign_in
from phems.domain.actors import NODE, Actor
from phems.domain.second_factor import CodeKind
from phems.errors import CodeNeededError, RefusedError
from phems.services.accounts import existing, hash_secret, refused
from phems.services.ports import Transaction
from phems.services.ports.users import PendingSignIn, User
from phems.services.second_factors import SecondFactors

PURPOSE = "second-factor"
PASSWORD = "password"  # noqa: S105 (a kind, not a secret)


@dataclass(frozen=True, slots=True)
class HalfSignIn:
    """A sign-in whose password was right, and whose code is still to come."""

    secret: str
    """Whoever has it may give the code: it is worth a right password, for ten minutes."""


@dataclass(frozen=True, slots=True)
class PasswordSignIn:
    """Who has signed in, how, and where they wanted to go."""

    actor: Actor
    method: str
    next_path: str


class PasswordSignIns(SecondFactors):
    """The use cases around signing in with a password."""

    def authenticate_password(self, name: str, password: str, address: str = "", code: str = "") -> Actor:
        """The user who signs in; RefusedError says the same for an unknown name and a wrong password.

        CodeNeededError when the password was right and a code is to come with it.
        """
        self._check_password(name, password, address)
        kind: CodeKind | None = None
        with self._governance.transaction() as tx:
            user = existing(tx, name)
            if not user.has_second_factor:
                _succeeded(tx, name, address)
            elif code:
                kind = self._spent(tx, user, code, address)
            else:
                _forgive(tx, name, address)
        if self._must_enrol(user):
            raise RefusedError(
                "You need a second factor first.",
                why="this node asks everybody with a password for one, and you have none yet.",
                remedy="Sign in with a browser, which leads you to it.",
            )
        if user.has_second_factor and not code:
            raise CodeNeededError(
                "A code is needed.",
                why="you have a second factor.",
                remedy="Give the code that your app shows, or a recovery code.",
            )
        if user.has_second_factor and kind is None:
            raise _wrong_code()
        return Actor(name)

    def begin_password(
        self, name: str, password: str, address: str, next_path: str
    ) -> PasswordSignIn | HalfSignIn:
        """Sign in with a name and a password, as far as that goes."""
        self._check_password(name, password, address)
        now = self._clock.now()
        half = HalfSignIn(secrets.token_urlsafe(32))
        pending = PendingSignIn(
            secret_hash=hash_secret(half.secret),
            purpose=PURPOSE,
            subject=name,
            next_path=next_path,
            expires_at=now + sign_in.PENDING_LIFETIME,
        )
        with self._governance.transaction() as tx:
            if not existing(tx, name).has_second_factor:
                _succeeded(tx, name, address)
                return PasswordSignIn(Actor(name), PASSWORD, next_path)
            _forgive(tx, name, address)
            tx.users.add_pending(pending, now)
        return half

    def finish_password(self, half: str, code: str, address: str) -> PasswordSignIn:
        """Sign in with the code that was still to come. A wrong one may be followed by another."""
        now, half_hash = self._clock.now(), hash_secret(half)
        with self._governance.transaction() as tx:
            pending = tx.users.pending(half_hash, PURPOSE, now)
        if pending is None:
            raise refused("it took too long, or was done already.")
        name = pending.subject
        self._begin_try(name, address)
        with self._governance.transaction() as tx:
            kind = self._spent(tx, existing(tx, name), code, address)
            if kind is not None:
                tx.users.take_pending(half_hash, PURPOSE, now)
        if kind is None:
            raise _wrong_code()
        return PasswordSignIn(Actor(name), f"{PASSWORD} and {kind}", pending.next_path)

    def remove_second_factor(self, actor: Actor, password: str, code: str, address: str = "") -> None:
        """Give up one's second factor, for who has both: the password, and a code or a recovery code."""
        self.authenticate_password(actor.name, password, address, code)
        with self._governance.transaction() as tx:
            if not tx.second_factors.remove(actor.name):
                raise RefusedError("You have no second factor.")
            tx.audit.append(actor, "user.remove_second_factor", actor.name)

    def _spent(self, tx: Transaction, user: User, code: str, address: str) -> CodeKind | None:
        """Let a code count, and with it the try; None when it does not, which is written down."""
        factor = tx.second_factors.get(user.name)
        usable = factor is not None and factor.confirmed_at is not None and user.disabled_at is None
        kind = self._used(tx, factor, code) if factor is not None and usable else None
        if kind is not None:
            _succeeded(tx, user.name, address)
        else:
            details = {"factor": "second", **({"address": address} if address else {})}
            tx.audit.append(NODE, "user.sign_in", user.name, result="refused", details=details)
        return kind

    def _check_password(self, name: str, password: str, address: str) -> None:
        """Count a try, and raise RefusedError unless the password is right."""
        if not self._identity().local:
            raise RefusedError(
                "People do not sign in with a password here.",
                why="identity.local in node.yaml is false.",
                remedy="Sign in with your organisation.",
            )
        known_form = sign_in.NAME.fullmatch(name) is not None and len(password) <= sign_in.LONGEST_PASSWORD
        user = self._begin_try(name, address) if known_form else None
        usable = user is not None and user.disabled_at is None
        if self._passwords.matches(user.password_hash if user and usable else None, password[:1024]):
            return
        with self._governance.transaction() as tx:
            # What was typed as an unknown name may be a password: it is not written down.
            details = {"address": address} if address else {}
            tx.audit.append(
                NODE, "user.sign_in", name if user else "unknown", result="refused", details=details
            )
        raise refused("the name or the password is wrong.")

    def _begin_try(self, name: str, address: str) -> User | None:
        now = self._clock.now()
        with self._governance.transaction() as tx:
            counted = [(name, "under this name", sign_in.wait_after)]
            if address:
                key = sign_in.address_key(address)
                counted.append((key, "from this address", sign_in.address_wait_after))
            for key, where, wait_after in counted:
                earlier = tx.users.failures(key)
                wait = wait_after(earlier.count, earlier.last_at, now) if earlier else timedelta(0)
                if wait > timedelta(0):
                    raise refused(f"too many tries {where} failed; the next counts in {wait.seconds + 1} s.")
            for key, _, _ in counted:
                tx.users.record_failure(key, now)
            return tx.users.get(name)


def _succeeded(tx: Transaction, name: str, address: str) -> None:
    """The try has succeeded: those before it are forgotten."""
    tx.users.clear_failures(name)
    if address:
        tx.users.forgive_failure(sign_in.address_key(address))


def _forgive(tx: Transaction, name: str, address: str) -> None:
    """The try has not failed so far; those before it go on counting."""
    tx.users.forgive_failure(name)
    if address:
        tx.users.forgive_failure(sign_in.address_key(address))


def _wrong_code() -> RefusedError:
    return refused("the code is wrong, or was used before.")
