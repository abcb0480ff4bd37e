"""Signed checkpoints of the audit log: what the database is held against before anything is added to it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime

from phems.domain.audit import EMPTY, Head
from phems.domain.checkpoints import Checkpoint, sign_checkpoint
from phems.domain.merkle import EMPTY_ROOT
from phems.domain.signed_notes import VerifierKey
from phems.errors import IntegrityError
from phems.services.checkpoint_upgrade import vouches_for
from phems.services.ports.audit import (
    AnchorGate,
    AuditTree,
    AuditWriter,
    CheckpointStore,
    PreparedCheckpoint,
    SignatureCheck,
    Signer,
)

REMEDY = (
    "Nothing was done. Find out what changed it: phems audit verify. Keep the last export, and restore "
    "database and audit folder from the same backup."
)


def verifier_key(origin: str, public_key: str) -> VerifierKey:
    """The public half of an audit key (raw, base64) under the name of the log that it signs."""
    return VerifierKey(origin, base64.b64decode(public_key))


class CheckpointKeeper:
    """Signs the head of the log after each act, and refuses acts when the log disagrees with the last one."""

    def __init__(
        self,
        *,
        origin: str,
        store: CheckpointStore,
        signer: Signer,
        verify: SignatureCheck,
        gate: AnchorGate | None = None,
    ) -> None:
        self.key = verifier_key(origin, signer.public_key)
        self._store = store
        self._signer = signer
        self._verify = verify
        self._gate = gate
        # What was signed or verified last: the file rarely holds anything else.
        self._trusted = ""

    def read(self) -> Checkpoint | None:
        """The last published checkpoint."""
        return self._store.read()

    def history(self) -> Iterator[Checkpoint]:
        """Earlier checkpoints that this node signed, a few of many, oldest first."""
        return (each for each in self._store.history() if self.signed_by_node(each))

    def signed_by_node(self, checkpoint: Checkpoint) -> bool:
        """Whether this node's audit key signed it."""
        return checkpoint.signed_by(self.key, self._verify)

    def open(self, head: Head, log: AuditWriter) -> None:
        """At the start of a node: sign the empty log, so that a missing checkpoint always means something.

        A log from before there was a tree is signed when its checkpoint of then vouches for it.
        """
        self._store.sweep()
        if self._store.read() is not None:
            return
        older = self._store.older()
        if head == EMPTY or (older and vouches_for(older, log, self._signer.public_key, self._verify)):
            self.prepare(head).publish()
            self._store.forget_older()

    def check(self, head: Head, log: AuditTree, now: datetime) -> None:
        """Raise IntegrityError unless the log continues what was signed last; then ask the anchors' gate.

        `head` is the log's end as the database has it: its last entry, and the tree that this completes.
        """
        checkpoint = self._store.read()
        if checkpoint is None:
            if head.size > 0:
                raise IntegrityError(
                    f"The audit log has {head.size} entries and no checkpoint.",
                    why="the signed checkpoint was removed.",
                    remedy=REMEDY,
                )
            return
        self._check_signature(checkpoint)
        if head.size < checkpoint.size:
            raise IntegrityError(
                f"The audit log ends at entry {head.size}, but {checkpoint.size} entries were signed.",
                why="its end was cut off.",
                remedy=REMEDY,
            )
        if root_at(checkpoint.size, head, log) != checkpoint.root:
            raise IntegrityError(
                f"The audit log up to entry {checkpoint.size} is not the one that was signed.",
                why="that entry, or one before it, was written anew.",
                remedy=REMEDY,
            )
        if self._gate is not None:
            self._gate.check(head, log, now)

    def prepare(self, head: Head) -> PreparedCheckpoint:
        """A signed checkpoint of `head`, on the disk, not yet published."""
        return self._store.prepare(self.sign(head))

    def sign(self, head: Head) -> Checkpoint:
        """A signed checkpoint of `head`, which must be what is, or is about to be, committed."""
        signed = sign_checkpoint(head.tree, self.key, self._signer.sign)
        self._trusted = str(signed)
        return signed

    def _check_signature(self, checkpoint: Checkpoint) -> None:
        written = str(checkpoint)
        if written == self._trusted:
            return
        if not self.signed_by_node(checkpoint):
            raise IntegrityError(
                "The checkpoint of the audit log is not signed by this node's audit key.",
                why="the checkpoint or the key was replaced, or audit.origin in node.yaml was changed.",
                remedy=REMEDY,
            )
        self._trusted = written


def root_at(size: int, head: Head, log: AuditTree) -> bytes | None:
    """The root of the tree over the first `size` entries; None when the log has not as many."""
    if size == head.size:
        return head.tree.root()
    if size == 0:
        return EMPTY_ROOT
    leaf = log.leaf(size)
    return None if leaf is None else leaf.after().root()
