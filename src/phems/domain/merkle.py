"""The Merkle tree over the audit log (RFC 9162, section 2.1): hashes, and the tree as far as it must be kept.

A tree of any size is a row of perfect subtrees, from the largest on the left to the smallest on the right:
one for each bit of its size. Their roots, here the *peaks*, are all that is needed to append a leaf and to
tell the root, both in O(log n); the literature has them as a compact range. The peaks *before* a leaf was
appended are also its inclusion proof in the tree it completed. So an entry stored together with them can be
held against a signed root alone, and every inner node of the tree can be told from one such entry
(`Leaf.node`).

Hashes are SHA-256, raw bytes; a leaf's and a node's begin with different bytes, so that none can be passed
off as the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

HASH_SIZE = 32

Nodes = Callable[[int, int], bytes]
"""The root of the perfect subtree of 2**level leaves that is the `index`-th of its level, from the left."""


def leaf_hash(data: bytes) -> bytes:
    """MTH({d}): the hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


EMPTY_ROOT = hashlib.sha256(b"").digest()
"""MTH({}): the root of the tree without leaves."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree, as its peaks; ValueError when there are not as many as a tree of this size has."""

    size: int
    """How many leaves."""
    peaks: tuple[bytes, ...]
    """The largest subtree's root first."""

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves does not have {len(self.peaks)} peaks")

    def append(self, leaf: bytes) -> Frontier:
        """The tree with one leaf more, given by its hash."""
        node, peaks, size = leaf, list(self.peaks), self.size
        while size & 1:
            node = node_hash(peaks.pop(), node)
            size >>= 1
        return Frontier(self.size + 1, (*peaks, node))

    def root(self) -> bytes:
        """MTH(D[n]): what stands for the whole tree."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node

    def packed(self) -> bytes:
        """The peaks one after another."""
        return b"".join(self.peaks)

    @classmethod
    def unpacked(cls, size: int, packed: bytes) -> Frontier:
        """The tree of `size` leaves whose peaks are given as `packed`; ValueError when they cannot be."""
        if len(packed) != size.bit_count() * HASH_SIZE:
            raise ValueError(f"a tree of {size} leaves does not have {len(packed)} bytes of peaks")
        return cls(size, tuple(packed[at : at + HASH_SIZE] for at in range(0, len(packed), HASH_SIZE)))


EMPTY_TREE = Frontier(0, ())


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf with the tree that it was appended to."""

    hash: bytes
    before: Frontier

    def after(self) -> Frontier:
        """The tree that ends with this leaf."""
        return self.before.append(self.hash)

    def node(self, level: int) -> bytes:
        """The perfect subtree of 2**level leaves that this leaf completes; ValueError when there is none."""
        if (self.before.size + 1) % (1 << level):
            raise ValueError(f"leaf {self.before.size} does not complete a subtree of level {level}")
        node = self.hash
        for peak in reversed(self.before.peaks[len(self.before.peaks) - level :]):
            node = node_hash(peak, node)
        return node


def range_root(start: int, end: int, node: Nodes) -> bytes:
    """MTH(D[start:end]) of a range that the tree's recursive halving comes upon, from its perfect subtrees.

    Such a range starts at a multiple of its own size, rounded up to a power of two.
    """
    roots: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        roots.append(node(level, start >> level))
        start += 1 << level
    found = roots.pop()
    while roots:
        found = node_hash(roots.pop(), found)
    return found
