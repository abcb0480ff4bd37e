"""An identity provider as the use cases see it: where to send a browser, and who has come back from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Challenge:
    """What one sign-in is held to: sent to the provider, and compared with what comes back."""

    redirect_uri: str
    state: str
    nonce: str
    verifier: str


class IdentityProvider(Protocol):
    """One provider. The methods block."""

    @property
    def issuer(self) -> str: ...

    def address(self, challenge: Challenge) -> str:
        """Where to send the browser; UnavailableError when the provider is away."""
        ...

    def claims(self, challenge: Challenge, code: str, issuer: str | None) -> Mapping[str, Any]:
        """What the provider says of who has signed in; RefusedError when its word does not hold."""
        ...
