"""Watching over the audit log: how far it is verified, known at every moment without reading it whole.

Two walks go over the log, a few entries at each look. One verifies what is new, on from the last entry that
was verified. The other begins again at the first entry whenever it has come to the end, for an entry that was
verified once may be changed later; a short log it reads whole at each look. What was verified is kept in this
process alone: whoever can change the log cannot change that.

Something that was found stays found until somebody verifies the whole log and nothing is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from phems.domain.actors import Actor
from phems.domain.audit_verification import SignedHead, Walk
from phems.domain.checkpoints import Checkpoint
from phems.errors import IntegrityError
from phems.services.audit import AuditLog
from phems.services.audit_anchors import Anchors
from phems.services.audit_export import Verification
from phems.services.checkpoints import CheckpointKeeper, root_at
from phems.services.ports import Governance, Transaction
from phems.services.ports.audit import AuditTree
from phems.services.ports.clock import Clock
from phems.services.set_backs import is_left_behind

STEP = 1000
"""How many entries a look reads in each walk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeVerification:
    """A verification of the whole log that somebody asked for."""

    at: datetime
    by: str
    found: Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is known of the log."""

    entries: int = 0
    """How many it has."""
    verified: int = 0
    """Up to which entry it is verified."""
    checkpoint: Checkpoint | None = None
    signed_at: datetime | None = None
    """When the last entry that the checkpoint covers was written; it was signed at once."""
    problem: str = ""
    """What is wrong, as a clause: "entry 23 was changed: ..."; empty when nothing is."""
    read_again: int = 0
    """How far the log is being read again, from its first entry."""
    whole_at: datetime | None = None
    """When it was last read whole, and nothing was wrong."""
    asked_for: WholeVerification | None = None

    @property
    def is_behind(self) -> bool:
        """Whether there are entries that are not verified yet."""
        return not self.problem and self.verified < self.entries


class AuditWatch:
    """Knows how far the log of this process's node is verified. Any thread may look."""

    def __init__(
        self,
        log: AuditLog,
        *,
        governance: Governance,
        keeper: CheckpointKeeper,
        anchors: Anchors | None,
        clock: Clock,
    ) -> None:
        self._log = log
        self._governance = governance
        self._keeper = keeper
        self._anchors = anchors
        self._clock = clock
        self._lock = threading.Lock()
        self._begin()
        self._last = Watched()

    def look(self, limit: int = STEP) -> Watched:
        """What is known now, a step further; while another thread looks, what it knew before.

        UnavailableError when the database cannot be reached. That somebody looked is recorded nowhere: no
        entry is shown.
        """
        if self._lock.acquire(blocking=False):
            try:
                self._last = self._step(limit)
            finally:
                self._lock.release()
        return self._last

    def verify(self, actor: Actor) -> Watched:
        """Verify the whole log against every checkpoint there is, outside anchors asked; recorded."""
        found = self._log.verify(actor)
        asked_for = WholeVerification(at=self._clock.now(), by=actor.name, found=found)
        with self._lock:
            if found.finding is not None:
                self._last = replace(self._last, problem=str(found.finding), asked_for=asked_for)
            else:
                if self._last.problem:
                    self._begin()
                self._last = replace(self._last, problem="", whole_at=asked_for.at, asked_for=asked_for)
        return self.look()

    def _begin(self) -> None:
        self._new = Walk()
        self._again = Walk()

    def _step(self, limit: int) -> Watched:
        if self._last.problem:
            return self._last
        with self._governance.transaction() as tx:
            try:
                return self._walk(tx, limit)
            except IntegrityError as error:
                return replace(self._last, problem=f"{error.what} {error.why}".strip())

    def _walk(self, tx: Transaction, limit: int) -> Watched:
        """1. There is a checkpoint, and this node signed it. 2. The log still ends, or goes on, where it was
        verified to. 3. What is new is verified. 4. So is, once more, a part of what was.
        """
        checkpoint = self._signed_checkpoint()  # 1
        head = tx.audit.head()
        if root_at(self._new.head.size, head, tx.audit) != self._new.head.tree.root():  # 2
            raise IntegrityError(
                f"the log up to entry {self._new.head.size} is not the one that was verified before:",
                why="its end was cut off, or it was written anew.",
            )
        last = SignedHead(checkpoint.size, checkpoint.root, "the node's last checkpoint")
        finding = self._new.go_on(tx.audit.entries(after=self._new.head.size), [last], limit=limit)  # 3
        whole_at = self._last.whole_at
        if finding is None:
            held = [*self._held(tx.audit), last]
            finding = self._again.go_on(tx.audit.entries(after=self._again.head.size), held, limit=limit)  # 4
        read_again = self._again.head.size
        if finding is None and self._again.is_at_end:
            self._again, whole_at = Walk(), self._clock.now()
        return replace(
            self._last,
            entries=max(head.size, self._new.head.size),
            verified=self._new.head.size,
            checkpoint=checkpoint,
            signed_at=tx.audit.written_at(checkpoint.size),
            problem="" if finding is None else str(finding),
            read_again=read_again,
            whole_at=whole_at,
        )

    def _signed_checkpoint(self) -> Checkpoint:
        checkpoint = self._keeper.read()
        if checkpoint is None:
            raise IntegrityError("there is no signed checkpoint:", why="it was removed.")
        if not self._keeper.signed_by_node(checkpoint):
            raise IntegrityError("the checkpoint is not one that the node signed:", why="it was replaced.")
        return checkpoint

    def _held(self, log: AuditTree) -> Iterator[SignedHead]:
        """What else was signed: earlier checkpoints, and those that outside anchors are known to have.

        But those that the log says it was restored behind.
        """
        for each in self._keeper.history():
            yield SignedHead(each.size, each.root, "an earlier checkpoint")
        for rule in self._anchors.rules if self._anchors is not None else ():
            handed = rule.handed.read()
            if handed is None or not self._keeper.signed_by_node(handed):
                continue
            if not is_left_behind(handed, log):
                yield SignedHead(handed.size, handed.root, f"the outside anchor {rule.name}", is_anchor=True)
