"""Signed checkpoints of the audit log: what the database is held against before anything is added to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from phems.domain.audit import EMPTY, GENESIS, Checkpoint, Head, checkpoint_bytes, timestamp
from phems.errors import IntegrityError
from phems.services.ports.audit import CheckpointStore, PreparedCheckpoint, SignatureCheck, Signer

_REMEDY = (
    "Nothing was done. Find out what changed it: phems audit verify. Keep the last export, and restore "
    "database and audit folder from the same backup."
)


class CheckpointKeeper:
    """Signs the head of the log after each act, and refuses acts when the log disagrees with the last one."""

    def __init__(self, *, node: str, store: CheckpointStore, signer: Signer, verify: SignatureCheck) -> None:
        self._node = node
        self._store = store
        self._signer = signer
        self._verify = verify

    def read(self) -> Checkpoint | None:
        """The last published checkpoint."""
        return self._store.read()

    def signed_by_node(self, checkpoint: Checkpoint) -> bool:
        """Whether this node's audit key signed it."""
        return self._verify(self._signer.public_key, checkpoint.signed_bytes(), checkpoint.signature)

    def open(self, head: Head, at: datetime) -> None:
        """At the start of a node: sign the empty log, so that a missing checkpoint always means something."""
        if head == EMPTY and self._store.read() is None:
            self.prepare(head, at).publish()

    def check(self, head: Head, hash_at: Callable[[int], str | None]) -> None:
        """Raise IntegrityError unless the log continues what was signed last. `head` is the log's end."""
        checkpoint = self._store.read()
        if checkpoint is None:
            if head.size > 0:
                raise IntegrityError(
                    f"The audit log has {head.size} entries and no checkpoint.",
                    why="the signed checkpoint was removed.",
                    remedy=_REMEDY,
                )
            return
        if not self.signed_by_node(checkpoint):
            raise IntegrityError(
                "The checkpoint of the audit log is not signed by this node's audit key.",
                why="the checkpoint or the key was replaced.",
                remedy=_REMEDY,
            )
        if head.size < checkpoint.size:
            raise IntegrityError(
                f"The audit log ends at entry {head.size}, but {checkpoint.size} entries were signed.",
                why="its end was cut off.",
                remedy=_REMEDY,
            )
        there = GENESIS if checkpoint.size == 0 else hash_at(checkpoint.size)
        if there != checkpoint.head:
            raise IntegrityError(
                f"Entry {checkpoint.size} of the audit log is not the one that was signed.",
                why="it, or entries before it, were written anew.",
                remedy=_REMEDY,
            )

    def prepare(self, head: Head, at: datetime) -> PreparedCheckpoint:
        """A signed checkpoint of `head`, on the disk, not yet published."""
        return self._store.prepare(self.sign(head, at))

    def sign(self, head: Head, at: datetime) -> Checkpoint:
        """A signed checkpoint of `head`."""
        moment = timestamp(at)
        signed = checkpoint_bytes(node=self._node, head=head, at=moment, key_id=self._signer.key_id)
        return Checkpoint(
            node=self._node,
            size=head.size,
            head=head.hash,
            at=moment,
            key_id=self._signer.key_id,
            signature=self._signer.sign(signed),
        )
