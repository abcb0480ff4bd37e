"""Proofs over the Merkle tree, as RFC 9162 has them: that it contains an entry, that it extends an older one.

Proofs are made from perfect subtrees (`phems.domain.merkle.Nodes`) and are lists of hashes, from the leaves
towards the root. Leaves are numbered from 0 here, as in the RFC; entries of the audit log from 1.

The checks follow the RFC's numbered steps, and take nothing from the prover but the hashes.
"""

from __future__ import annotations

from collections.abc import Sequence

from phems.domain.merkle import EMPTY_ROOT, Nodes, node_hash, range_root

Range = tuple[int, int]
"""Leaves from the first up to, not including, the second."""


def inclusion_proof(index: int, size: int, node: Nodes) -> list[bytes]:
    """PATH(index, D[size]) (section 2.1.3.1): from a leaf to the root; ValueError out of bounds."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    siblings: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _half(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return [range_root(*sibling, node) for sibling in reversed(siblings)]


def consistency_proof(old: int, new: int, node: Nodes) -> list[bytes]:
    """PROOF(old, D[new]) (section 2.1.4.1): that the first `old` leaves are those of the older tree.

    From the empty tree, and from a tree to itself, nothing needs proof: the list is empty.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not extend one of {old}")
    if old in {0, new}:
        return []
    parts: list[Range] = []
    start, end, is_whole_old_tree = 0, new, True
    while end != old:
        middle = start + _half(end - start)
        if old <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start = middle
            is_whole_old_tree = False
    if not is_whole_old_tree:
        parts.append((start, end))
    return [range_root(*part, node) for part in reversed(parts)]


def includes(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the tree of `size` leaves with this root has the leaf at `index` (section 2.1.3.2)."""
    if not 0 <= index < size:  # 1
        return False
    place, last = index, size - 1  # 2
    found = leaf  # 3
    for each in proof:  # 4
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(each, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, each)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root  # 5


def extends(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of `new` leaves begins with the tree of `old` leaves (section 2.1.4.2)."""
    if old in {0, new}:
        return not proof and 0 <= old <= new and old_root == (new_root if old == new else EMPTY_ROOT)
    if not 0 < old < new or not proof:  # 1
        return False
    path = list(proof)
    if old & (old - 1) == 0:  # 2
        path.insert(0, old_root)
    place, last = old - 1, new - 1  # 3
    while place & 1:  # 4
        place, last = place >> 1, last >> 1
    found_old = found_new = path[0]  # 5
    for each in path[1:]:  # 6
        if last == 0:
            return False
        if place & 1 or place == last:
            found_old, found_new = node_hash(each, found_old), node_hash(each, found_new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found_new = node_hash(found_new, each)
        place, last = place >> 1, last >> 1
    return last == 0 and found_old == old_root and found_new == new_root  # 7


def _half(size: int) -> int:
    """The largest power of two that is smaller than `size`: where the tree is divided."""
    return 1 << ((size - 1).bit_length() - 1)
