"""Approvers' keys as the use cases see them: the register in the database, and the folder outside of it.

A key counts only when both agree: whoever can write to the database alone cannot add a key, nor bring a
revoked one back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from phems.domain.approvals import Signature
from phems.domain.approver_keys import ApproverKey


class ApproverKeyStore(Protocol):
    """The register of public keys, within one transaction; nothing is ever removed."""

    def lock(self, person: str) -> None:
        """Wait for, and hold, a person's keys until the transaction ends."""
        ...

    def get(self, key_id: str) -> ApproverKey | None:
        """A key by its id."""
        ...

    def of_person(self, person: str) -> Sequence[ApproverKey]:
        """All keys of a person, newest first; at most one is CURRENT."""
        ...

    def save(self, key: ApproverKey) -> None:
        """Add it, or bring its state up to date. Save the replaced one before the new one."""
        ...


class ApproverKeys(Protocol):
    """The keys folder, outside the database. Raises `UnavailableError` when it cannot be read or written."""

    def id_of(self, public_key: str) -> str:
        """The id of a public key (base64); `InputError` when it is no Ed25519 key."""
        ...

    def make(self, person: str) -> str:
        """Make a key pair, keep its private half, trust its public half; gives that, base64."""
        ...

    def trust(self, person: str, public_key: str) -> str:
        """Trust a public key (base64) as that of a person; gives its id. Idempotent.

        Raises `InputError` as `id_of` does, `RefusedError` when it was distrusted before.
        """
        ...

    def distrust(self, person: str, key_id: str) -> None:
        """Never trust this key again, and forget its private half. Idempotent."""
        ...

    def trusts(self, person: str, key_id: str, public_key: str) -> bool:
        """Whether this key is trusted, still, as that of this person."""
        ...

    def sign(self, person: str, statement: bytes, key_id: str | None = None) -> Signature:
        """Sign with a key of the person whose private half is kept here; without an id, their newest.

        Raises `NotFoundError` when there is none.
        """
        ...

    def verifies(self, public_key: str, statement: bytes, signature: str) -> bool:
        """Whether `signature` (base64) over `statement` was made with the private half of `public_key`."""
        ...
