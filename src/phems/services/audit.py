"""The audit log's use cases: read, export, prove, verify. Each read is an entry itself.

A read that cannot be recorded does not happen, with one exception: a log that was tampered with takes no more
entries, and must still be shown, exported and verified, for it is the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from phems.domain.actors import Actor
from phems.domain.audit import Entry, timestamp
from phems.domain.audit_verification import Finding, SignedHead, verify
from phems.domain.checkpoint_proofs import ConsistencyProof, InclusionProof
from phems.domain.checkpoints import Checkpoint
from phems.domain.signed_notes import VerifierKey
from phems.errors import IntegrityError
from phems.services.audit_anchors import Anchoring
from phems.services.audit_export import Verification, checkpoints_line, entry_line, header_line
from phems.services.audit_proofs import prove_entry, prove_extension
from phems.services.checkpoints import REMEDY, CheckpointKeeper
from phems.services.ports import Governance
from phems.services.ports.audit import EntryFilter, Signer
from phems.services.ports.clock import Clock
from phems.services.set_backs import is_left_behind, set_backs


class AuditLog:
    """The audit log of a node."""

    def __init__(
        self,
        node: str,
        *,
        governance: Governance,
        keeper: CheckpointKeeper,
        signer: Signer,
        clock: Clock,
        anchoring: Anchoring | None = None,
    ) -> None:
        self._node = node
        self._governance = governance
        self._keeper = keeper
        self._signer = signer
        self._clock = clock
        self._anchoring = anchoring

    @property
    def key(self) -> VerifierKey:
        """The public half of the key that signs checkpoints, under the log's name."""
        return self._keeper.key

    def open(self) -> None:
        """At the start of a node: sign the empty log of a new one, refuse a log that was tampered with."""
        with self._governance.transaction() as tx:
            self._keeper.open(tx.audit.head(), tx.audit)
        if self._anchoring is not None:
            # Before the check: an anchor that is late because the node was stopped is given what it lacks.
            self._anchoring.submit(due_only=True)
        with self._governance.transaction() as tx:
            self._keeper.check(tx.audit.head(), tx.audit, self._clock.now())

    def sizes(self) -> tuple[int, int]:
        """How many entries there are, and how many of them the last signed checkpoint covers."""
        # Read first: entries that come in meanwhile make the log longer than it says, never shorter.
        checkpoint = self._keeper.read()
        with self._governance.transaction() as tx:
            size = tx.audit.head().size
        return size, checkpoint.size if checkpoint is not None else 0

    def check_takes_entries(self) -> None:
        """Raise unless an act could be recorded now: the log is as long as was signed, and can be signed on.

        Nothing is added: a checkpoint is signed, written to the disk and thrown away.
        """
        checkpoint = self._keeper.read()
        with self._governance.transaction() as tx:
            head = tx.audit.head()
        if head.size and checkpoint is None:
            raise IntegrityError("The audit log has no checkpoint.", why="it was removed.", remedy=REMEDY)
        if checkpoint is not None and head.size < checkpoint.size:
            raise IntegrityError(
                f"The audit log ends at entry {head.size}, but {checkpoint.size} entries were signed.",
                why="its end was cut off.",
                remedy=REMEDY,
            )
        self._keeper.prepare(head).discard()

    def tail(self, actor: Actor, count: int, *, project: str | None = None) -> list[Entry]:
        """The last entries, oldest first; that they are read is not among them yet."""
        with self._governance.transaction() as tx:
            entries = tx.audit.tail(count, project=project)
        self._record(actor, "audit.tail", {"count": count}, project=project)
        return entries

    def search(
        self, actor: Actor, wanted: EntryFilter, *, count: int, below: int | None = None
    ) -> list[Entry]:
        """The last entries that fit, newest first; that they are read is not among them yet."""
        with self._governance.transaction() as tx:
            entries = tx.audit.search(wanted, count=count, below=below)
        details = {"count": count, **wanted.given(), **({} if below is None else {"below": below})}
        self._record(actor, "audit.search", details, project=wanted.project)
        return entries

    def export(self, actor: Actor) -> Iterator[bytes]:
        """The lines of an exported log. The export is itself an entry, the last of them.

        A log that was tampered with is exported as it is, under the last checkpoint that was signed: the
        file is evidence, and fails its verification.
        """
        intact = self._record(actor, "audit.export")
        with self._governance.transaction() as tx:
            head = tx.audit.head()
            yield header_line(self.key, timestamp(self._clock.now()))
            for entry in tx.audit.entries():
                if entry.seq > head.size:
                    break
                yield entry_line(entry)
            newest = self._keeper.sign(head) if intact else self._last_checkpoint()
            if newest is not None:
                earlier = (each for each in self._keeper.history() if each.size < newest.size)
                yield checkpoints_line(newest, earlier)

    def verify(self, actor: Actor) -> Verification:
        """Verify the database against every checkpoint there is, those that outside anchors hold included."""
        self._record(actor, "audit.verify")
        # Read first: entries that come in meanwhile make the log longer than it says, never shorter.
        checkpoint = self._keeper.read()
        held, silent = self._held()
        with self._governance.transaction() as tx:
            counter = _Counter(tx.audit.entries())
            if checkpoint is not None and not self._keeper.signed_by_node(checkpoint):
                why = "its signature does not match its content"
                finding: Finding | None = Finding("forged", checkpoint.size, why)
            else:
                left = {name for name, each in held.items() if is_left_behind(each, tx.audit)}
                agreed = {name: each for name, each in held.items() if name not in left}
                finding = verify(counter, self._signed(checkpoint, agreed))
            told = tuple(map(str, set_backs(tx.audit)))
        if finding is None and checkpoint is None and counter.read:
            finding = Finding("forged", counter.read, "there is no checkpoint: it was removed")
        return Verification(
            entries=counter.read,
            checkpoint=checkpoint,
            public_key=self._signer.public_key,
            finding=finding,
            anchors=tuple(held),
            silent_anchors=silent,
            set_backs=told,
        )

    def prove(self, actor: Actor, seq: int) -> InclusionProof:
        """The proof that entry `seq` is in the log as it was signed last."""
        self._record(actor, "audit.prove", {"seq": seq})
        checkpoint = self._signed_last()
        with self._governance.transaction() as tx:
            return prove_entry(tx.audit, seq, checkpoint)

    def prove_extension(self, actor: Actor, old: int) -> ConsistencyProof:
        """The proof that the log as it was signed last begins with what it was when it had `old` entries."""
        self._record(actor, "audit.consistency", {"from": old})
        checkpoint = self._signed_last()
        with self._governance.transaction() as tx:
            return prove_extension(tx.audit, old, tx.audit.head(), checkpoint)

    def checkpoint(self, actor: Actor) -> Checkpoint:
        """The last signed checkpoint, the reading of it included."""
        self._record(actor, "audit.checkpoint")
        return self._signed_last()

    def _held(self) -> tuple[dict[str, Checkpoint], tuple[str, ...]]:
        if self._anchoring is None:
            return {}, ()
        return self._anchoring.anchors.held(self._keeper.signed_by_node)

    def _signed(self, last: Checkpoint | None, held: dict[str, Checkpoint]) -> Iterable[SignedHead]:
        for each in self._keeper.history():
            yield SignedHead(each.size, each.root, "an earlier checkpoint")
        if last is not None:
            yield SignedHead(last.size, last.root, "the node's last checkpoint")
        for name, each in held.items():
            yield SignedHead(each.size, each.root, f"the outside anchor {name}", is_anchor=True)

    def _signed_last(self) -> Checkpoint:
        checkpoint = self._keeper.read()
        if checkpoint is None:
            raise IntegrityError(
                "The audit log has no checkpoint.", why="the signed checkpoint was removed.", remedy=REMEDY
            )
        return checkpoint

    def _last_checkpoint(self) -> Checkpoint | None:
        try:
            return self._keeper.read()
        except IntegrityError:
            return None

    def _record(
        self, actor: Actor, action: str, details: dict[str, Any] | None = None, project: str | None = None
    ) -> bool:
        try:
            with self._governance.transaction() as tx:
                tx.audit.append(actor, action, self._node, project=project, details=details)
        except IntegrityError:
            return False
        return True


class _Counter:
    """Counts what passes."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = entries
        self.read = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            yield entry
            self.read += 1
