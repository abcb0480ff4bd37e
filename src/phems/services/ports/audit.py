"""The audit log as the use cases see it: append within a transaction, read, and the signed checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from phems.domain.actors import Actor
from phems.domain.audit import Checkpoint, Entry, Head


class AuditWriter(Protocol):
    """The audit log within one transaction."""

    def append(
        self,
        actor: Actor,
        action: str,
        subject: str,
        *,
        project: str | None = None,
        result: str = "done",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Record an act. It gets its number at the end of the transaction, under a lock taken last, so
        that acts do not wait for each other. `action` is a noun and a verb as in `code.approve`;
        `result` is `done` or `refused`; `details` is JSON and holds no secret and no patient data.
        """
        ...

    def head(self) -> Head:
        """How many entries there are, those of this transaction included, and the hash of the last."""
        ...

    def hash_at(self, seq: int) -> str | None:
        """The hash of entry `seq`, None when there is no such entry."""
        ...

    def entries(self, *, after: int = 0) -> Iterator[Entry]:
        """All entries that follow entry `after`, in order, as a stream."""
        ...

    def tail(self, count: int, *, project: str | None = None) -> list[Entry]:
        """The last `count` entries, oldest first; of one project when it is named."""
        ...


class Signer(Protocol):
    """The node's audit key."""

    @property
    def key_id(self) -> str: ...

    @property
    def public_key(self) -> str:
        """The raw Ed25519 public key, base64."""
        ...

    def sign(self, data: bytes) -> str:
        """The signature, base64."""
        ...


class SignatureCheck(Protocol):
    """Checks an Ed25519 signature; base64 that cannot be read is a signature that does not match."""

    def __call__(self, public_key: str, data: bytes, signature: str) -> bool: ...


class PreparedCheckpoint(Protocol):
    """A checkpoint that is on the disk, but does not count yet."""

    def publish(self) -> None:
        """Make it the checkpoint, unless a later one is there already. Idempotent."""
        ...

    def discard(self) -> None:
        """Remove it. Idempotent, and without effect once published."""
        ...


class CheckpointStore(Protocol):
    """Where the last checkpoint lies: outside the database, so that it can contradict it."""

    def read(self) -> Checkpoint | None:
        """The last published checkpoint; None when there never was one. IntegrityError when unreadable."""
        ...

    def prepare(self, checkpoint: Checkpoint) -> PreparedCheckpoint:
        """Write it durably beside the last one. UnavailableError when there is no room: nothing changed."""
        ...
