"""Issuing and verifying capabilities: compact JWS, HMAC-SHA256 with a key that only the control plane has.

Both ends of a capability are the control plane (the project side only carries it), so a shared key
is enough; its algorithm is fixed here, whatever a token's header claims (RFC 8725, section 3.1). Their life
is counted by the clock that nobody sets: one process issues and verifies them, with a key of its own.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from phems.contract.capability import Capability
from phems.errors import RefusedError

_ALGORITHM = "HS256"
_AUDIENCE = "phems-storage"
KEY_BYTES = 32
STEP_SECONDS = 900.0
LOCATION_SECONDS = 900.0


class CapabilityAuthority:
    """Signs and checks capabilities with one key; by default with one that this process alone has."""

    def __init__(self, key: bytes | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = OctKey.import_key(key or secrets.token_bytes(KEY_BYTES))
        self._clock = clock

    def issue(self, capability: Capability) -> str:
        """The token of a capability."""
        header = {"alg": _ALGORITHM, "typ": "JWT"}
        claims = {**capability.to_claims(), "aud": _AUDIENCE}
        return jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])

    def verify(self, token: str) -> Capability:
        """The capability of a token; raises `RefusedError` for a forged, foreign or expired one."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError, TypeError) as error:
            raise RefusedError("The capability is not one of this node.", why=type(error).__name__) from error
        if claims.get("aud") != _AUDIENCE:
            raise RefusedError("The capability is meant for another service.")
        capability = Capability.from_claims(claims)
        if capability.is_expired(self._clock()):
            raise RefusedError(
                "The capability has expired.", remedy="The node renews it while the step lives."
            )
        return capability

    def expiry(self, seconds: float) -> float:
        """When a capability that is issued now expires, by this authority's clock."""
        return self._clock() + seconds

    def seconds_left(self, capability: Capability) -> float:
        """How long a capability lives from now on; none are left when it has expired."""
        return capability.expires_at - self._clock()
