"""Verification of the audit log: the first thing that is wrong with it, or nothing.

Entries are read as a stream, and one of them kept. The chain names the entry that was changed, removed, moved
or put in. What a chain cannot show is a tail cut off, or entries written anew with all that follows them: the
signed tree heads show both, as long as they and the key are out of the reach of who changed the log. A tree
head from an outside anchor also shows a whole node set back to an earlier state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from phems.domain.audit import EMPTY, Entry, Head
from phems.errors import InputError

FindingKind = Literal[
    "changed", "removed", "reordered", "truncated", "added", "forged", "forked", "rolled back"
]


@dataclass(frozen=True, slots=True)
class SignedHead:
    """What somebody outside the log holds: its tree was this at this size. The signature has been checked."""

    size: int
    root: bytes
    held_by: str
    """Who holds it, to be read after "signed in"."""
    is_anchor: bool = False
    """Held out of the node's reach: a log that ends before it was set back as a whole."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong with a log."""

    kind: FindingKind
    seq: int
    """The entry it is about; the first that is missing; the first that may have been written anew."""
    why: str
    until: int | None = None
    """The last that may have been written anew."""

    @property
    def says(self) -> str:
        """The finding as the beginning of a sentence."""
        if self.until is not None and self.until > self.seq:
            return f"one of entries {self.seq} to {self.until} {_SAYS[self.kind]}"
        return f"entry {self.seq} {_SAYS[self.kind]}"

    def __str__(self) -> str:
        return f"{self.says}: {self.why}"


_SAYS: Mapping[FindingKind, str] = {
    "changed": "was changed",
    "removed": "was removed",
    "reordered": "was moved",
    "truncated": "and what followed it were cut off",
    "added": "was added",
    "forged": "is covered by a checkpoint that the node did not sign",
    "forked": "was written anew, and all that follows it",
    "rolled back": "and what followed it were taken back",
}


def verify(
    entries: Iterable[Entry], signed: Iterable[SignedHead] = (), *, complete: bool = False
) -> Finding | None:
    """The first thing wrong with the log, or None.

    1. Each entry has the next number, the hash of its own content, and names the hash before it.
    2. At the size of each signed head, the tree over the entries has the head's root.
    3. The log reaches as far as every signed head.
    4. With `complete`, nothing follows the last of them (an exported file; a live log may be ahead).
    """
    return Walk().go_on(entries, signed, complete=complete)


class Walk:
    """A verification in parts: what was verified is not read again, what follows is held against it."""

    def __init__(self, head: Head = EMPTY) -> None:
        self.head = head
        """The end of the log as far as it was verified."""
        self.is_at_end = False
        """Whether there was nothing more to read."""

    def go_on(
        self,
        entries: Iterable[Entry],
        signed: Iterable[SignedHead] = (),
        *,
        limit: int | None = None,
        complete: bool = False,
    ) -> Finding | None:
        """Verify the entries that follow `head`, `limit` of them at most: see `verify` for the steps."""
        heads = _Heads(signed, self.head.size)
        self.is_at_end = False
        finding = heads.contradicted(self.head)  # 2
        stream = iter(entries) if finding is None else iter(())
        for number, entry in enumerate(stream):
            if number == limit:
                return None
            finding = _misplaced(self.head, entry, stream)  # 1
            if finding is None and complete and heads.are_passed:  # 4
                finding = Finding("added", entry.seq, f"the signed checkpoint ends at entry {self.head.size}")
            if finding is not None:
                return finding
            after = _then(self.head, entry)
            finding = _broken(self.head, entry, after, stream)  # 1
            if finding is not None or after is None:
                return finding
            finding = heads.contradicted(after)  # 2
            if finding is not None:
                return finding
            self.head = after
        self.is_at_end = finding is None
        return finding or heads.missed(self.head)  # 3


class _Heads:
    """The signed heads from a size on, in the order of their sizes; each is met once."""

    def __init__(self, signed: Iterable[SignedHead], start: int) -> None:
        at_hand = (head for head in signed if head.size >= start)
        self._waiting = sorted(at_hand, key=lambda head: head.size, reverse=True)
        self._agreed = start

    @property
    def are_passed(self) -> bool:
        return not self._waiting

    def contradicted(self, head: Head) -> Finding | None:
        while self._waiting and self._waiting[-1].size <= head.size:
            signed = self._waiting.pop()
            if signed.root != head.tree.root():
                why = f"the log is not the one that was signed in {signed.held_by}"
                return Finding("forked", min(self._agreed + 1, signed.size), why, until=signed.size)
            self._agreed = head.size
        return None

    def missed(self, head: Head) -> Finding | None:
        if not self._waiting:
            return None
        # The node's own word first: a log cut off at its end is so by that alone.
        signed = min(self._waiting, key=lambda each: (each.is_anchor, -each.size))
        kind: FindingKind = "rolled back" if signed.is_anchor else "truncated"
        return Finding(kind, head.size + 1, f"{signed.size} entries were signed in {signed.held_by}")


def _then(head: Head, entry: Entry) -> Head | None:
    """The end of the log with this entry; None when it has no canonical form."""
    try:
        return head.then(entry.canonical())
    except InputError:
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


def _broken(head: Head, entry: Entry, after: Head | None, rest: Iterator[Entry]) -> Finding | None:
    if after is None:
        return Finding("changed", entry.seq, "its content has no canonical form")
    if after.hash != entry.hash:
        return Finding("changed", entry.seq, "its hash is not the hash of its content")
    if entry.prev_hash == head.hash:
        return None
    # The entry agrees with itself, but not with the one before: one of the two was written anew. The
    # next entry knows which, for it names the hash that this one had.
    following = next(rest, None)
    if head.size == 0 or (following is not None and following.prev_hash != entry.hash):
        return Finding("changed", entry.seq, "it was written anew: it is not linked to the entry before it")
    return Finding("changed", head.size, f"it was written anew: entry {entry.seq} names another hash for it")
