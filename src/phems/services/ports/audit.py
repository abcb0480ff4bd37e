"""The audit log as the use cases see it: append within a transaction, read, and the signed checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from phems.domain.actors import Actor
from phems.domain.audit import Entry, Head
from phems.domain.checkpoints import Checkpoint
from phems.domain.merkle import Leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which entries somebody looks for: those that fit all that is given."""

    actor: str | None = None
    action: str | None = None
    """A whole action, such as `code.approve`, or its noun alone."""
    subject: str | None = None
    """How the subject begins: digests are rarely typed whole."""
    project: str | None = None
    result: str | None = None
    since: datetime | None = None
    before: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("since", "before"):
            if (moment := getattr(self, name)) is not None:
                object.__setattr__(self, name, _in_utc(moment))

    def given(self) -> dict[str, str]:
        """What is asked for, in words, for the entry that records the search."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in found.items()
            if value is not None
        }


def _in_utc(moment: datetime) -> datetime:
    """The same moment; Python takes offsets of which Postgres says that no clock has them."""
    try:
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:  # at the first or the last day of the calendar
        return moment.replace(tzinfo=UTC)


class AuditTree(Protocol):
    """The log's Merkle tree, read entry by entry."""

    def leaf(self, seq: int) -> Leaf | None:
        """The leaf of entry `seq` with the tree that it was appended to; None when there is no such entry.

        IntegrityError when what is stored with the entry cannot be a tree of that size.
        """
        ...

    def written_at(self, seq: int) -> datetime | None:
        """When entry `seq` was appended; None when there is no such entry."""
        ...

    def recorded(self, action: str) -> list[Entry]:
        """The entries of one action that are stored, in their order; none of this transaction."""
        ...


class AuditWriter(AuditTree, Protocol):
    """The audit log within one transaction."""

    def append(
        self,
        actor: Actor,
        action: str,
        subject: str,
        *,
        project: str | None = None,
        result: str = "done",
        capsule: str | None = None,
        before: str | None = None,
        after: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Record an act. It gets its number at the end of the transaction, under a lock taken last, so
        that acts do not wait for each other. `action` is a noun and a verb as in `code.approve`;
        `result` is `done`, `refused` or `failed`; `capsule` the digest of the run capsule it is about;
        `before` and `after` the states of a subject that has states; `details` is JSON and holds no
        secret and no patient data.
        """
        ...

    def head(self) -> Head:
        """The end of the log, the entries of this transaction included."""
        ...

    def entry(self, seq: int) -> Entry | None:
        """Entry `seq`; None when there is no such entry."""
        ...

    def entries(self, *, after: int = 0) -> Iterator[Entry]:
        """All entries that follow entry `after`, in order, as a stream."""
        ...

    def tail(self, count: int, *, project: str | None = None) -> list[Entry]:
        """The last `count` entries, oldest first; of one project when it is named."""
        ...

    def search(self, wanted: EntryFilter, *, count: int, below: int | None = None) -> list[Entry]:
        """The last `count` entries that fit, newest first; of those numbered below `below` when given."""
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

    def __call__(self, public_key: str, data: bytes, signature: str, /) -> bool: ...


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

    def history(self) -> Iterator[Checkpoint]:
        """Earlier checkpoints, a few of many, oldest first; what cannot be read is left out."""
        ...

    def prepare(self, checkpoint: Checkpoint) -> PreparedCheckpoint:
        """Write it durably beside the last one. UnavailableError when there is no room: nothing changed."""
        ...

    def older(self) -> Mapping[str, Any] | None:
        """The checkpoint in the form of before there was a tree, not verified; None when there is none."""
        ...

    def forget_older(self) -> None:
        """Remove it, now that there is a newer one: it must not vouch for anything twice. Idempotent."""
        ...

    def sweep(self) -> None:
        """Remove what a crash left prepared: such a checkpoint was signed, but never counted."""
        ...


class Anchor(Protocol):
    """A place out of the node's reach that keeps checkpoints: what it holds cannot be taken back here."""

    def submit(self, checkpoint: Checkpoint) -> None:
        """Hand it over; returns when the place has it. Idempotent. UnavailableError when it has not."""
        ...

    def latest(self, known: int) -> Checkpoint | None:
        """The checkpoint of the largest size that the place holds, when it can be asked and has one.

        `known` is a size that it is known to hold: a hint where to begin to look. Not verified yet.
        UnavailableError when it cannot be reached.
        """
        ...


class AnchorGate(Protocol):
    """Refuses acts while outside anchors lack what they must have by now."""

    def check(self, head: Head, log: AuditTree, now: datetime) -> None:
        """Raise UnavailableError when an anchor that must not fall behind has; IntegrityError when one
        holds a checkpoint that this log contradicts."""
        ...
