"""Signing in at an identity provider: begun here, done there, and finished here, once.

A browser that begins is given a random secret (a cookie), from which nonce and PKCE verifier are derived, and
sent to the provider with a random state. The state is remembered as a hash for a few minutes and taken out
when it comes back: it works once, and in that browser alone.

A person is known by the provider's issuer and subject, which never change. The name that they have here is
the one they came with the first time, so that what they decided stays theirs when the provider renames them,
and nobody else gets it: a name that a local user or another subject has is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from phems.domain import sign_in
from phems.domain.actors import NODE, Actor
from phems.errors import InputError, NotFoundError, RefusedError, UnavailableError
from phems.nodespec.identity import Oidc
from phems.services.accounts import Accounts, existing, hash_secret
from phems.services.ports import Transaction
from phems.services.ports.identity_provider import Challenge, IdentityProvider
from phems.services.ports.users import PendingSignIn, User

MOST_GROUPS = 1000
LONGEST_GROUP = 256
PURPOSE = "oidc"


@dataclass(frozen=True, slots=True)
class SignInWays:
    """How people may sign in."""

    local: bool
    """With a password of this node's own."""
    provider: str | None
    """At the identity provider that people call so."""


@dataclass(frozen=True, slots=True)
class BegunSignIn:
    """A sign-in that goes on at the provider."""

    address: str
    """Where to send the browser."""
    browser: str
    """The secret that the browser keeps until it comes back."""


@dataclass(frozen=True, slots=True)
class FinishedSignIn:
    """Who has come back from the provider, and where they wanted to go."""

    actor: Actor
    groups: frozenset[str]
    next_path: str


class OidcSignIns(Accounts):
    """The use cases around signing in at an identity provider."""

    def ways(self) -> SignInWays:
        """How people may sign in, as node.yaml has it now."""
        identity = self._identity()
        return SignInWays(identity.local, identity.oidc.title if identity.oidc is not None else None)

    def begin_oidc(self, redirect_uri: str, next_path: str) -> BegunSignIn:
        """Send a browser to the provider."""
        provider, _ = self._oidc()
        browser, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        address = provider.address(_challenge(redirect_uri, state, browser))
        now = self._clock.now()
        pending = PendingSignIn(
            secret_hash=hash_secret(state),
            purpose=PURPOSE,
            subject=hash_secret(browser),
            next_path=next_path,
            expires_at=now + sign_in.PENDING_LIFETIME,
        )
        with self._governance.transaction() as tx:
            tx.users.add_pending(pending, now)
        return BegunSignIn(address, browser)

    def finish_oidc(self, redirect_uri: str, answer: Mapping[str, str], browser: str) -> FinishedSignIn:
        """Who has come back; RefusedError for a state that was used, is not of this browser, or too old."""
        provider, settings = self._oidc()
        state = answer.get("state", "")
        try:
            next_path = self._taken(state, browser)
            _check_answer(answer)
            challenge = _challenge(redirect_uri, state, browser)
            claims = provider.claims(challenge, answer.get("code", ""), answer.get("iss"))
            return self._finished(provider.issuer, settings, claims, next_path)
        except RefusedError as error:
            with self._governance.transaction() as tx:
                details = {"method": PURPOSE, "why": error.why}
                tx.audit.append(NODE, "user.sign_in", "unknown", result="refused", details=details)
            raise

    def _taken(self, state: str, browser: str) -> str:
        """Take out what was begun with this state in this browser; gives where the person wanted to go."""
        with self._governance.transaction() as tx:
            pending = tx.users.take_pending(hash_secret(state), PURPOSE, self._clock.now())
        if pending is None or not hmac.compare_digest(pending.subject, hash_secret(browser)):
            raise RefusedError(
                "This sign-in cannot be finished.",
                why="it was finished already, is too old, or was begun in another browser.",
                remedy="Sign in again.",
            )
        return pending.next_path

    def link(self, actor: Actor, name: str, subject: str) -> User:
        """Have a user sign in as a subject of the provider from now on; password and second factor go."""
        _, settings = self._oidc()
        if not 1 <= len(subject) <= LONGEST_GROUP or not subject.isprintable():
            raise InputError("This is no subject of an identity provider.", remedy="Copy its sub claim.")
        with self._governance.transaction() as tx:
            existing(tx, name)
            other = tx.users.of_subject(settings.issuer, subject)
            if other is not None and other.name != name:
                raise RefusedError(
                    f"The subject is {other.name} already.",
                    why="one person must not be two users: they could approve their own work.",
                    remedy="phems user list",
                )
            tx.users.link(name, settings.issuer, subject)
            tx.second_factors.remove(name)
            ended = tx.users.revoke_sessions_of(name, self._clock.now())
            details = {"issuer": settings.issuer, "subject": subject, "sessions_ended": ended}
            tx.audit.append(actor, "user.link", name, details=details)
            return existing(tx, name)

    def remembered_groups(self, name: str) -> frozenset[str]:
        """The groups of a person's last sign-in, while they count."""
        if self._identity().oidc is None:
            return frozenset()
        with self._governance.transaction() as tx:
            user = tx.users.get(name)
        return frozenset() if user is None else self.groups_of(user)

    def groups_of(self, user: User) -> frozenset[str]:
        """The same of one whose row is at hand."""
        settings = self._identity().oidc
        if settings is None or user.issuer != settings.issuer or user.groups_at is None:
            return frozenset()
        fresh = self._clock.now() - user.groups_at < timedelta(days=settings.groups_kept_days)
        return frozenset(user.groups) if fresh else frozenset()

    def _finished(
        self, issuer: str, settings: Oidc, claims: Mapping[str, Any], next_path: str
    ) -> FinishedSignIn:
        subject, groups = str(claims["sub"]), _groups(claims.get(settings.groups_claim))
        now = self._clock.now()
        with self._governance.transaction() as tx:
            user = tx.users.of_subject(issuer, subject)
            if user is None:
                user = self._welcomed(tx, issuer, subject, _name(claims, settings.name_claim))
            if user.disabled_at is not None:
                raise RefusedError("You cannot sign in here any more.", why=f"{user.name} is disabled.")
            tx.users.remember_groups(user.name, groups, now)
            email = sign_in.verified_email(claims)
            if email is not None and email != user.email:
                tx.users.set_email(user.name, email)
                details = {"has_email": True, "issuer": issuer}
                tx.audit.append(NODE, "user.set_email", user.name, details=details)
        return FinishedSignIn(Actor(user.name), frozenset(groups), next_path)

    def _welcomed(self, tx: Transaction, issuer: str, subject: str, name: str) -> User:
        """A person who has not been here before."""
        user = User(
            name=name,
            password_hash=None,
            created_at=self._clock.now(),
            created_by=NODE.name,
            issuer=issuer,
            subject=subject,
        )
        if not tx.users.add(user):
            raise RefusedError(
                f"The name {name} is somebody else's here.",
                why="a local user has it, or another person of the provider: names are given once, so that "
                "nobody decides in another's name.",
                remedy=f"Ask an operator. When it is yours: phems user link {name} SUBJECT",
            )
        tx.audit.append(NODE, "user.add", name, details={"issuer": issuer, "subject": subject})
        return user

    def _oidc(self) -> tuple[IdentityProvider, Oidc]:
        provider, settings = self._provider(), self._identity().oidc
        if provider is None or settings is None:
            raise NotFoundError("This node has no identity provider.", remedy="identity.oidc in node.yaml")
        return provider, settings


def _check_answer(answer: Mapping[str, str]) -> None:
    if "error" in answer:
        raise RefusedError(
            "The identity provider did not sign you in.",
            why=f"it says: {sign_in.printable(answer['error'])}.",
            remedy="Sign in again, or ask whoever runs the provider.",
        )


def _challenge(redirect_uri: str, state: str, browser: str) -> Challenge:
    return Challenge(redirect_uri, state, _derived("nonce", browser), _derived("verifier", browser))


def _derived(what: str, browser: str) -> str:
    digest = hashlib.sha256(f"phems {what} {browser}".encode(errors="replace")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _name(claims: Mapping[str, Any], claim: str) -> str:
    found = claims.get(claim)
    if not isinstance(found, str) or not found:
        raise RefusedError(
            "The identity provider does not say your name.",
            why=f"it sends no claim {claim!r}.",
            remedy="An operator sets identity.oidc.name_claim and scopes in node.yaml.",
        )
    if claim == "email" and claims.get("email_verified") is not True:
        raise RefusedError(
            "The identity provider has not verified your address.",
            why="anybody could have written it there.",
            remedy="Verify it at the provider, then sign in again.",
        )
    name = found.lower()
    if sign_in.NAME.fullmatch(name) is None or name in sign_in.RESERVED:
        raise RefusedError(
            "Your name at the identity provider cannot be one here.",
            why=f"the claim {claim!r} has other characters than letters, digits and . _ @ + -, or is one of "
            "the node's own names.",
            remedy="An operator takes another claim: identity.oidc.name_claim in node.yaml.",
        )
    return name


def _groups(claim: Any) -> tuple[str, ...]:
    """The groups that a claim lists; a claim that is none lists none."""
    listed = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    found = {group for group in listed if isinstance(group, str) and 0 < len(group) <= LONGEST_GROUP}
    if len(found) > MOST_GROUPS:
        raise UnavailableError(
            "The identity provider lists too many groups.",
            why=f"there are {len(found)}, and {MOST_GROUPS} at most are kept.",
            remedy="Have the provider send the groups that matter to this node alone.",
        )
    return tuple(sorted(found))
