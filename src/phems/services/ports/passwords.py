"""Passwords as hashes, as a port: the real one is slow on purpose, the tests' is not."""

from __future__ import annotations

from typing import Protocol


class PasswordHasher(Protocol):
    """Makes and checks password hashes."""

    def hash(self, password: str) -> str:
        """The hash to store, its salt and parameters in it."""
        ...

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is the one hashed. For None (no such user, or one without a password) it
        takes as long as for a hash and is False: the time tells nobody which names exist."""
        ...
