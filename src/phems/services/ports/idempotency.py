"""Idempotency keys as the use cases see them: who used one for what, whether it was acted on, the answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phems.domain.idempotency import Claim, KeptAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedKey:
    """A key on record. `request_digest` tells what was asked with it."""

    request_digest: str
    acted: bool
    """Whether a transaction that wrote the audit log was committed under it."""
    answer: KeptAnswer | None


class IdempotencyKeyStore(Protocol):
    """Keys within one transaction."""

    def claim(self, claim: Claim, request_digest: str, at: datetime) -> bool:
        """Put a new key on record; False when it is there already (nothing changed)."""
        ...

    def used(self, claim: Claim) -> UsedKey | None:
        """The key as it is on record, whoever holds it; nobody else changes it in this transaction."""
        ...

    def take_over(self, claim: Claim, at: datetime) -> None:
        """Make the claim's holder the key's: whoever held it before acts no more."""
        ...

    def mark_acted(self, claim: Claim) -> bool:
        """Write down, with the act itself, that the key was acted on; False when another holds the key."""
        ...

    def keep_answer(self, claim: Claim, answer: KeptAnswer) -> None:
        """Keep the answer, unless another holds the key."""
        ...

    def forget_before(self, at: datetime) -> None:
        """Delete keys that were used before a moment."""
        ...
