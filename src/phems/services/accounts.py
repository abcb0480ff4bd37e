"""What the use cases around users share: the stores, the clock, the rules in force, and how secrets are kept.

Secrets (tokens, sessions) are 256 random bits, shown once and stored as SHA-256: a copy of the database lets
nobody in.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from phems.domain import sign_in
from phems.errors import NotFoundError, RefusedError
from phems.nodespec.identity import Identity
from phems.services.ports import Governance, Transaction
from phems.services.ports.clock import Clock
from phems.services.ports.identity_provider import IdentityProvider
from phems.services.ports.passwords import PasswordHasher
from phems.services.ports.second_factors import FactorSecrets
from phems.services.ports.users import Grant, User


@dataclass(frozen=True, slots=True)
class Secret:
    """A token or session just made: the one time its secret is known."""

    secret: str
    user_name: str
    expires_at: datetime

    @property
    def hashed(self) -> str:
        """How it is stored."""
        return hash_secret(self.secret)


class Accounts:
    """The ground that the use cases around users stand on."""

    def __init__(
        self,
        governance: Governance,
        *,
        clock: Clock,
        passwords: PasswordHasher,
        factor_secrets: FactorSecrets,
        identity: Callable[[], Identity] = Identity,
        provider: Callable[[], IdentityProvider | None] = lambda: None,
    ) -> None:
        self._governance = governance
        self._clock = clock
        self._passwords = passwords
        self._factor_secrets = factor_secrets
        self._identity = identity
        self._provider = provider

    def _new_secret(self, name: str, expires_at: datetime) -> Secret:
        return Secret(sign_in.TOKEN_PREFIX + secrets.token_urlsafe(32), name, expires_at)

    def _must_enrol(self, user: User) -> bool:
        """Whether a user has to set up a second factor before anything else."""
        required = self._identity().second_factor == "required"
        return required and user.password_hash is not None and not user.has_second_factor

    def _whom(self, tx: Transaction, grant: Grant | None) -> User | None:
        """The user of a token or session that is still good."""
        if grant is None or grant.revoked_at is not None or grant.expires_at <= self._clock.now():
            return None
        user = tx.users.get(grant.user_name)
        return user if user is not None and user.disabled_at is None else None


def hash_secret(secret: str) -> str:
    """How a token or session is stored. A plain hash is enough: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def existing(tx: Transaction, name: str) -> User:
    """The user of that name; NotFoundError when there is none."""
    user = tx.users.get(name)
    if user is None:
        raise NotFoundError(f"There is no user {name}.", remedy=f"phems user list, or phems user add {name}")
    return user


def refused(why: str) -> RefusedError:
    """The refusal of a sign-in."""
    return RefusedError("Signing in failed.", why=why, remedy="Ask an operator: phems user token NAME")
