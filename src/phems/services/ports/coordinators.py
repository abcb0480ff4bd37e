"""Coordinators' tokens as the use cases see them. Secrets come in as hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorToken:
    """A token: which coordinator it stands for, and until when."""

    secret_hash: str
    """SHA-256 of the secret, 64 hex digits."""
    coordinator: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether it still lets anybody in."""
        return self.revoked_at is None and now < self.expires_at


class CoordinatorStore(Protocol):
    """Tokens of coordinators, within one transaction; nothing is ever removed."""

    def add_token(self, token: CoordinatorToken) -> None: ...

    def token(self, secret_hash: str) -> CoordinatorToken | None: ...

    def tokens(self) -> Sequence[CoordinatorToken]:
        """Every token, oldest first."""
        ...

    def revoke_tokens_of(self, coordinator: str, at: datetime) -> int:
        """End every token of a coordinator that is not ended yet; how many there were."""
        ...
