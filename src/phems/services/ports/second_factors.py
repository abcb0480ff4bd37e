"""Second factors as the use cases see them: where they are kept, and who can open their secrets."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phems.domain.second_factor import SecondFactor


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """What an app is told, once: the secret as text, and in an address that a phone reads as a picture."""

    text: str
    address: str


class FactorSecrets(Protocol):
    """Makes secrets and their codes. A secret is sealed for its user: in another user's row it opens nothing.

    IntegrityError when a secret cannot be opened: it was moved or changed, or the node's key is another.
    """

    def new(self, name: str) -> str:
        """A new secret, sealed."""
        ...

    def code(self, sealed: str, name: str, step: int) -> str:
        """The code of a step."""
        ...

    def shared(self, sealed: str, name: str) -> SharedSecret:
        """The secret, for its user's app."""
        ...


class SecondFactorStore(Protocol):
    """Second factors and recovery codes, within one transaction."""

    def get(self, name: str) -> SecondFactor | None: ...

    def begin(self, factor: SecondFactor) -> bool:
        """Keep a secret that is not confirmed, in the place of one before; False when one is confirmed."""
        ...

    def confirm(self, name: str, at: datetime) -> bool:
        """Ask for it from now on; False when there is none that waits for that."""
        ...

    def use_step(self, name: str, step: int) -> bool:
        """Let a code count; False when it, or a later one, has counted before: of two at once, one does."""
        ...

    def remove(self, name: str) -> bool:
        """Forget a user's second factor and recovery codes; False when there is nothing."""
        ...

    def add_recovery_codes(self, name: str, hashes: Collection[str]) -> None: ...

    def use_recovery_code(self, name: str, code_hash: str) -> bool:
        """Take out a recovery code; False when there is none: of two at once, one finds it."""
        ...

    def recovery_codes_left(self, name: str) -> int: ...
