"""Codes of authenticator apps (RFC 6238), from secrets that are stored encrypted (AES-256-GCM).

The key lies in the keys folder, as those that sign: a copy of the database lets nobody compute a code. The
user's name is authenticated with the secret, so that nobody puts their own in another's row.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phems.domain.second_factor import STEP_SECONDS
from phems.errors import IntegrityError
from phems.services.ports.second_factors import SharedSecret

NONCE_BYTES = 12


class SealedTotp:
    """`FactorSecrets` with pyotp; `key` gives 32 bytes when they are first needed, `title` names the node."""

    def __init__(self, key: Callable[[], bytes], title: str) -> None:
        self._key = key
        self._title = title

    def new(self, name: str) -> str:
        """A new secret, sealed."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(self._key()).encrypt(nonce, pyotp.random_base32().encode(), _for(name))
        return base64.b64encode(nonce + sealed).decode()

    def code(self, sealed: str, name: str, step: int) -> str:
        """The code of a step."""
        return self._totp(sealed, name).generate_otp(step)

    def shared(self, sealed: str, name: str) -> SharedSecret:
        """The secret, for its user's app."""
        totp = self._totp(sealed, name)
        return SharedSecret(totp.secret, totp.provisioning_uri(name=name, issuer_name=self._title))

    def _totp(self, sealed: str, name: str) -> pyotp.TOTP:
        try:
            raw = base64.b64decode(sealed, validate=True)
            secret = AESGCM(self._key()).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _for(name))
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise IntegrityError(
                f"The second factor of {name} cannot be opened.",
                why="it was changed in the database, or second-factor.key in the keys folder is another.",
                remedy=f"Bring the key back, or have it set up anew: phems user reset-second-factor {name}",
            ) from error
        return pyotp.TOTP(secret.decode(), interval=STEP_SECONDS)


def _for(name: str) -> bytes:
    return f"phems second factor of {name}".encode()
