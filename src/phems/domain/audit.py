"""The audit log's entries: how each is linked to the one before it, and which leaf of the Merkle tree it is.

An entry's hash is SHA-256 over its canonical JSON (RFC 8785): all its fields but the hash, the hash of the
entry before it among them. Entries are numbered from 1 without a gap; the first is linked to 64 zeros. The
same canonical bytes are the entry's leaf in the Merkle tree over the log (`phems.domain.merkle`).

The chain finds *which* entry was changed; the tree's root, signed in a checkpoint, stands for all entries at
once and gives short proofs to others. `phems.domain.audit_verification` holds a log against both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from phems.domain.actors import Actor
from phems.domain.canonical import canonical, plain, sha256
from phems.domain.merkle import EMPTY_TREE, Frontier, Leaf, leaf_hash
from phems.errors import InputError

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be recorded: an entry before it has a place in the log."""

    actor: Actor
    action: str
    subject: str
    project: str | None = None
    result: str = "done"
    capsule: str | None = None
    """The digest of the run capsule that it is about."""
    before: str | None = None
    """The state of the subject before the act, where it has states."""
    after: str | None = None
    """The state of the subject after the act."""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("action", "subject", "result"):
            if not getattr(self, name):
                raise InputError(f"An audit entry needs its {name}.", why="it is empty.")
        # Refused here, while the act can still be, and not when the transaction is about to end.
        plain(self.details, "details")
        canonical([self.actor.name, *(getattr(self, name) for name in _DRAFTED)])


_DRAFTED = ("action", "subject", "project", "result", "capsule", "before", "after", "details")


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
    capsule: str | None = None
    before: str | None = None
    after: str | None = None
    details: Mapping[str, Any]
    prev_hash: str
    hash: str

    def content(self) -> dict[str, Any]:
        """All that the hash covers: every field but the hash, and but those of `ABSENT` that are unset."""
        return _present({name: getattr(self, name) for name in CONTENT})

    def canonical(self) -> bytes:
        """The bytes that the hash is taken of, and the data of the entry's leaf."""
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
    "capsule",
    "before",
    "after",
    "details",
    "prev_hash",
)

ABSENT = ("capsule", "before", "after")
"""Fields that are left out where they are unset: entries from before there were any keep their hash."""


def _present(content: dict[str, Any]) -> dict[str, Any]:
    for name in ABSENT:
        if content[name] is None:
            del content[name]
    return content


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a log: the hash of the last entry, and the tree over all."""

    hash: str
    tree: Frontier

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self.tree.size

    def then(self, written: bytes) -> Head:
        """The end of the log with one entry more, given by its canonical bytes."""
        return Head(sha256(written), self.tree.append(leaf_hash(written)))


EMPTY = Head(GENESIS, EMPTY_TREE)


@dataclass(frozen=True, slots=True)
class Linked:
    """An entry in its place."""

    entry: Entry
    written: bytes
    """Its canonical bytes."""
    leaf: Leaf
    head: Head
    """The end of the log, now that it is there."""


def timestamp(moment: datetime) -> str:
    """A moment as the log writes it: UTC, microseconds, Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def link(head: Head, draft: Draft, at: datetime) -> Linked:
    """The draft as the next entry after `head`."""
    content: dict[str, Any] = {
        **{name: getattr(draft, name) for name in _DRAFTED},
        "seq": head.size + 1,
        "at": timestamp(at),
        "actor": draft.actor.name,
        "actor_kind": draft.actor.kind,
        "details": plain(draft.details),
        "prev_hash": head.hash,
    }
    written = canonical(_present(dict(content)))
    end = head.then(written)
    return Linked(Entry(**content, hash=end.hash), written, Leaf(leaf_hash(written), head.tree), end)
