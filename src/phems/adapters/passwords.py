"""argon2id password hashes."""

from __future__ import annotations

from functools import cached_property

from argon2 import PasswordHasher as Argon2
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY


class Argon2Hasher:
    """`PasswordHasher` with argon2id; the parameters of RFC 9106 for little memory (64 MiB) by default."""

    def __init__(self, argon2: Argon2 | None = None) -> None:
        self._argon2 = argon2 or Argon2.from_parameters(RFC_9106_LOW_MEMORY)

    @cached_property
    def _nobodys(self) -> str:
        return self._argon2.hash("the password of nobody")

    def hash(self, password: str) -> str:
        """The hash to store."""
        return self._argon2.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is the one hashed."""
        nobodys = self._nobodys  # made before the choice: the first try takes as long for every name
        try:
            self._argon2.verify(password_hash or nobodys, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None
