"""The audit log as a hash chain: how an entry is linked to the one before it, and how a break is found.

An entry's hash is SHA-256 over the canonical JSON (RFC 8785) of all its fields but the hash, the hash of
the entry before it among them; entries are numbered from 1 without a gap; the first is linked to 64
zeros. A checkpoint is a signed statement "the log has `size` entries and the last one's hash is `head`".

`verify` reads entries as a stream, keeps one of them, and names the first that is wrong. What a chain
cannot show: a tail cut off, or a whole suffix written anew. The checkpoint shows both, as long as its
signing key and the checkpoint itself are out of the reach of who changed the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from phems.domain.actors import Actor
from phems.domain.canonical import canonical, plain, sha256
from phems.errors import InputError

GENESIS = "0" * 64

FindingKind = Literal["changed", "removed", "reordered", "truncated", "added", "forged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be recorded: an entry before it has a place in the chain."""

    actor: Actor
    action: str
    subject: str
    project: str | None = None
    result: str = "done"
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("action", "subject", "result"):
            if not getattr(self, name):
                raise InputError(f"An audit entry needs its {name}.", why="it is empty.")
        # Refused here, while the act can still be, and not when the transaction is about to end.
        plain(self.details, "details")
        canonical([self.actor.name, self.action, self.subject, self.project, self.result, self.details])


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the audit log."""

    seq: int
    """From 1, without a gap."""
    at: str
    """UTC, as 2026-11-23T08:00:00.000000Z."""
    actor: str
    actor_kind: str
    action: str
    subject: str
    project: str | None
    result: str
    details: Mapping[str, Any]
    prev_hash: str
    hash: str

    def content(self) -> dict[str, Any]:
        """All that the hash covers: every field but the hash."""
        return {name: getattr(self, name) for name in CONTENT}

    def canonical(self) -> bytes:
        """The bytes that the hash is taken of."""
        return canonical(self.content())


CONTENT = (
    "seq",
    "at",
    "actor",
    "actor_kind",
    "action",
    "subject",
    "project",
    "result",
    "details",
    "prev_hash",
)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many entries it has and the hash of the last."""

    size: int
    hash: str


EMPTY = Head(0, GENESIS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed tree head: what the log was at a moment, stated by the node's audit key."""

    node: str
    size: int
    head: str
    at: str
    key_id: str
    signature: str
    """Ed25519 over `signed_bytes`, base64."""

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return checkpoint_bytes(
            node=self.node, head=Head(self.size, self.head), at=self.at, key_id=self.key_id
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong with a log."""

    kind: FindingKind
    seq: int
    """The entry it is about; for `truncated`, the first that is missing."""
    why: str

    @property
    def says(self) -> str:
        """The kind, to be read after "entry N"."""
        return _SAYS[self.kind]

    def __str__(self) -> str:
        return f"entry {self.seq} {self.says}: {self.why}"


_SAYS: Mapping[FindingKind, str] = {
    "changed": "was changed",
    "removed": "was removed",
    "reordered": "was moved",
    "truncated": "and what followed it were cut off",
    "added": "was added",
    "forged": "is covered by a checkpoint that the node did not sign",
}


def timestamp(moment: datetime) -> str:
    """A moment as the log writes it: UTC, microseconds, Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def link(head: Head, draft: Draft, at: datetime) -> Entry:
    """The draft as the next entry after `head`."""
    unlinked = Entry(
        seq=head.size + 1,
        at=timestamp(at),
        actor=draft.actor.name,
        actor_kind=draft.actor.kind,
        action=draft.action,
        subject=draft.subject,
        project=draft.project,
        result=draft.result,
        details=plain(draft.details),
        prev_hash=head.hash,
        hash="",
    )
    return Entry(**unlinked.content(), hash=chain(head.hash, unlinked))


def chain(prev_hash: str, entry: Entry) -> str:
    """The hash that an entry has when it follows the one whose hash is `prev_hash`."""
    return sha256(canonical({**entry.content(), "prev_hash": prev_hash}))


def checkpoint_bytes(*, node: str, head: Head, at: str, key_id: str) -> bytes:
    """What a checkpoint's signature covers."""
    statement = {"phems": "audit checkpoint 1", "node": node, "size": head.size, "head": head.hash}
    return canonical({**statement, "at": at, "key_id": key_id})


def verify(
    entries: Iterable[Entry],
    checkpoint: Checkpoint | None = None,
    signed_by_node: Callable[[Checkpoint], bool] | None = None,
    *,
    complete: bool = False,
) -> Finding | None:
    """The first thing wrong with the log, or None.

    1. The checkpoint's signature is the node's (when `signed_by_node` is given).
    2. Each entry has the next number, the hash of its own content, and names the hash before it.
    3. The entry at the checkpoint's size has the checkpoint's head, and the log reaches that far.
    4. With `complete`, nothing follows the checkpoint (an exported file; a live log may be ahead of it).
    """
    finding = _forged(checkpoint, signed_by_node)  # 1
    head = EMPTY
    stream = iter(entries) if finding is None else iter(())
    for entry in stream:
        finding = (
            _misplaced(head, entry, stream)  # 2
            or _broken(head, entry, stream)  # 2
            or _contradicted(checkpoint, entry, complete=complete)  # 3, 4
        )
        if finding is not None:
            break
        head = Head(entry.seq, entry.hash)
    if finding is None and checkpoint is not None and head.size < checkpoint.size:  # 3
        return Finding("truncated", head.size + 1, f"the signed checkpoint counts {checkpoint.size} entries")
    return finding


def _forged(
    checkpoint: Checkpoint | None, signed_by_node: Callable[[Checkpoint], bool] | None
) -> Finding | None:
    if checkpoint is None:
        return None
    if signed_by_node is not None and not signed_by_node(checkpoint):
        return Finding("forged", checkpoint.size, "its signature does not match its content")
    if checkpoint.size == 0 and checkpoint.head != GENESIS:
        return Finding("forged", 0, "a checkpoint of no entries names a last one")
    return None


def _contradicted(checkpoint: Checkpoint | None, entry: Entry, *, complete: bool) -> Finding | None:
    if checkpoint is None:
        return None
    if complete and entry.seq > checkpoint.size:
        return Finding("added", entry.seq, f"the signed checkpoint ends at entry {checkpoint.size}")
    if entry.seq == checkpoint.size and entry.hash != checkpoint.head:
        return Finding(
            "changed", entry.seq, "it, or entries before it, were written anew after the signature"
        )
    return None


def _misplaced(head: Head, entry: Entry, rest: Iterator[Entry]) -> Finding | None:
    expected = head.size + 1
    if entry.seq == expected:
        return None
    if entry.seq < expected:
        return Finding(
            "added", entry.seq, f"a second entry of this number stands where entry {expected} belongs"
        )
    if any(later.seq == expected for later in rest):
        return Finding("reordered", expected, f"entry {entry.seq} stands in its place")
    return Finding("removed", expected, f"entry {entry.seq} follows entry {head.size}")


def _broken(head: Head, entry: Entry, rest: Iterator[Entry]) -> Finding | None:
    try:
        computed = chain(entry.prev_hash, entry)
    except InputError as error:
        return Finding("changed", entry.seq, f"its content has no canonical form: {error.what}")
    if computed != entry.hash:
        return Finding("changed", entry.seq, "its hash is not the hash of its content")
    if entry.prev_hash == head.hash:
        return None
    # The entry agrees with itself, but not with the one before: one of the two was written anew. The
    # next entry knows which, for it names the hash that this one had.
    following = next(rest, None)
    if head.size == 0 or (following is not None and following.prev_hash != entry.hash):
        return Finding("changed", entry.seq, "it was written anew: it is not linked to the entry before it")
    return Finding("changed", head.size, f"it was written anew: entry {entry.seq} names another hash for it")
