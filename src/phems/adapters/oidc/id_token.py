"""Checking an ID token (OpenID Connect Core 3.1.3.7), in numbered steps.

1. It is signed with an algorithm for public keys: neither `none` nor a shared secret can be talked into.
2. The signature is of a key that the issuer publishes.
3. Issuer and audience are the ones expected; with several audiences the authorised party is this client.
4. It is of now: not expired, not from the future.
5. The nonce is the one that was sent for this sign-in.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from phems.adapters.oidc.metadata import ProviderMetadata
from phems.errors import RefusedError

ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)
LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say."""

    issuer: str
    client_id: str
    nonce: str


def checked_claims(token: str, expected: Expected, metadata: ProviderMetadata) -> Mapping[str, Any]:
    """The claims of an ID token; RefusedError names what is wrong with it, without quoting it."""
    header = _header(token)
    if header.get("alg") not in ALGORITHMS:  # 1
        raise refused_token(f"it is signed with {str(header.get('alg'))[:20]!r}, which is not accepted.")
    key_id = header.get("kid")
    keys = metadata.keys(wanted=key_id if isinstance(key_id, str) else None)
    registry = jwt.JWTClaimsRegistry(
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": expected.nonce},
    )
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims  # 2
        registry.validate(claims)  # 3, 4, 5
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise refused_token(f"{_reason(error)}.") from error
    audiences = claims["aud"]
    if isinstance(audiences, list) and len(audiences) > 1 and claims.get("azp") != expected.client_id:  # 3
        raise refused_token("it is for several audiences, and this node is not the authorised party.")
    return claims


def refused_token(why: str) -> RefusedError:
    """The refusal of what a provider, or somebody in its name, said."""
    return RefusedError(
        "The identity provider's word is not accepted.",
        why=why,
        remedy="Sign in again. When that does not help, an operator looks at identity.oidc in node.yaml.",
    )


def _header(token: str) -> Mapping[str, Any]:
    try:
        part = token.partition(".")[0]
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        header = None
    if not isinstance(header, dict):
        raise refused_token("it is not a JSON Web Token.")
    return header


def _reason(error: Exception) -> str:
    claim = getattr(error, "claim", None)
    words = str(getattr(error, "error", "")) or type(error).__name__
    return f"{words.replace('_', ' ')}{f' ({claim})' if claim else ''}"
