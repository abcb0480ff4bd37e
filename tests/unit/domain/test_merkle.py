"""The Merkle tree: the roots and proofs of RFC 9162, and of another implementation of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from phems.domain.merkle import EMPTY_ROOT, EMPTY_TREE, Frontier, Leaf, Nodes, leaf_hash, node_hash
from phems.domain.merkle_proofs import consistency_proof, extends, includes, inclusion_proof

# The inputs and roots of the test vectors of Certificate Transparency (RFC 6962, whose tree RFC 9162 keeps).
VECTOR = [bytes.fromhex(each) for each in ("", "00", "10", "2021", "3031", "40414243")] + [
    bytes.fromhex("5051525354555657"),
    bytes.fromhex("606162636465666768696a6b6c6d6e6f"),
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

LEAVES = st.lists(st.binary(max_size=8), max_size=40)


def leaves_of(data: Sequence[bytes]) -> list[Leaf]:
    """The leaves as a log would keep them."""
    tree, leaves = EMPTY_TREE, []
    for each in data:
        leaves.append(Leaf(leaf_hash(each), tree))
        tree = leaves[-1].after()
    return leaves


def nodes_of(leaves: Sequence[Leaf]) -> Nodes:
    return lambda level, index: leaves[((index + 1) << level) - 1].node(level)


def root_of(leaves: Sequence[Leaf], size: int) -> bytes:
    return leaves[size - 1].after().root() if size else EMPTY_ROOT


def slow_root(hashes: Sequence[bytes]) -> bytes:
    """MTH as the RFC defines it, by recursion."""
    if len(hashes) < 2:
        return hashes[0] if hashes else EMPTY_ROOT
    half = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(slow_root(hashes[:half]), slow_root(hashes[half:]))


def test_the_roots_are_those_of_certificate_transparency() -> None:
    tree = EMPTY_TREE
    assert tree.root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for data, root in zip(VECTOR, ROOTS, strict=True):
        tree = tree.append(leaf_hash(data))
        assert tree.root().hex() == root


@given(LEAVES)
def test_the_root_is_that_of_the_definition_and_of_another_implementation(data: list[bytes]) -> None:
    leaves, other = leaves_of(data), InmemoryTree(algorithm="sha256")
    for each in data:
        other.append_entry(each)
    root = root_of(leaves, len(data))
    assert root == slow_root([leaf.hash for leaf in leaves])
    assert root == other.get_root()


@given(LEAVES)
def test_a_tree_is_kept_as_bytes_and_read_back(data: list[bytes]) -> None:
    for leaf in leaves_of(data):
        assert Frontier.unpacked(leaf.before.size, leaf.before.packed()) == leaf.before


@pytest.mark.parametrize(("size", "packed"), [(1, b""), (0, b"x" * 32), (3, b"x" * 63), (-1, b"")])
def test_bytes_that_are_no_tree_of_that_size_are_refused(size: int, packed: bytes) -> None:
    """Who changes what is kept with an entry shall not make a proof of anything, nor a crash."""
    with pytest.raises(ValueError, match="a tree of"):
        Frontier.unpacked(size, packed)


def test_a_tree_with_the_wrong_number_of_peaks_is_refused() -> None:
    with pytest.raises(ValueError, match="does not have 2 peaks"):
        Frontier(1, (b"", b""))


def test_a_leaf_that_completes_no_subtree_has_no_node_to_tell() -> None:
    leaves = leaves_of(VECTOR)
    assert leaves[3].node(2) == root_of(leaves, 4)
    with pytest.raises(ValueError, match="does not complete"):
        leaves[2].node(2)


@given(LEAVES.filter(bool), st.data())
def test_a_proof_shows_an_entry_and_nothing_else(data: list[bytes], draw: st.DataObject) -> None:
    leaves = leaves_of(data)
    size = draw.draw(st.integers(1, len(data)))
    index = draw.draw(st.integers(0, size - 1))
    root, leaf = root_of(leaves, size), leaves[index].hash
    proof = inclusion_proof(index, size, nodes_of(leaves))
    assert len(proof) <= size.bit_length()
    assert includes(index, size, leaf, proof, root)
    assert not includes(index, size, leaf_hash(b"something else"), proof, root)
    assert not includes(index, size, leaf, [*proof, root], root)
    assert not includes(index, size, leaf, proof[:-1], root) or not proof
    assert not includes(index, size, leaf, proof, leaf_hash(b"another root"))
    assert not includes(size, size, leaf, proof, root)
    place = draw.draw(st.integers(0, max(len(proof) - 1, 0)))
    if proof:
        proof[place] = leaf_hash(b"a hash of one's own")
        assert not includes(index, size, leaf, proof, root)


@given(LEAVES, st.data())
def test_a_proof_shows_that_a_tree_extends_an_older_one(data: list[bytes], draw: st.DataObject) -> None:
    leaves = leaves_of(data)
    new = draw.draw(st.integers(0, len(data)))
    old = draw.draw(st.integers(0, new))
    old_root, new_root = root_of(leaves, old), root_of(leaves, new)
    proof = consistency_proof(old, new, nodes_of(leaves))
    assert extends(old, old_root, new, new_root, proof)
    other = leaf_hash(b"another root")
    assert not extends(old, other, new, new_root, proof)
    assert not extends(old, old_root, new, other, proof) or old == 0
    assert not extends(old, old_root, new, new_root, [*proof, other])
    if proof:
        assert not extends(old, old_root, new, new_root, proof[:-1])
        place = draw.draw(st.integers(0, len(proof) - 1))
        proof[place] = leaf_hash(b"a hash of one's own")
        assert not extends(old, old_root, new, new_root, proof)


def test_every_small_tree_extends_every_smaller_one() -> None:
    leaves = leaves_of(VECTOR)
    for new in range(len(VECTOR) + 1):
        for old in range(new + 1):
            proof = consistency_proof(old, new, nodes_of(leaves))
            assert extends(old, root_of(leaves, old), new, root_of(leaves, new), proof), (old, new)


@given(LEAVES.filter(bool), st.data())
def test_proofs_are_those_of_another_implementation(data: list[bytes], draw: st.DataObject) -> None:
    leaves, other = leaves_of(data), InmemoryTree(algorithm="sha256")
    for each in data:
        other.append_entry(each)
    size = draw.draw(st.integers(1, len(data)))
    index = draw.draw(st.integers(0, size - 1))
    # It counts from 1, and puts the leaf itself first.
    assert other.prove_inclusion(index + 1, size).path[1:] == inclusion_proof(index, size, nodes_of(leaves))


def test_a_log_that_was_written_anew_has_no_proof() -> None:
    leaves, forged = leaves_of(VECTOR), leaves_of([*VECTOR[:2], b"forged", *VECTOR[3:]])
    for old in range(3, 8):
        proof = consistency_proof(old, 8, nodes_of(forged))
        assert not extends(old, root_of(leaves, old), 8, root_of(forged, 8), proof)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_a_proof_of_what_is_not_there_is_refused(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_proof(index, size, nodes_of(leaves_of(VECTOR)))
    assert not includes(index, size, b"", [], EMPTY_ROOT)


@pytest.mark.parametrize(("old", "new"), [(3, 2), (-1, 2)])
def test_a_tree_does_not_extend_a_larger_one(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not extend"):
        consistency_proof(old, new, nodes_of(leaves_of(VECTOR)))
    assert not extends(old, EMPTY_ROOT, new, EMPTY_ROOT, [])


def test_a_proof_with_a_hash_too_many_shows_nothing() -> None:
    leaves = leaves_of(VECTOR)
    proof = [*consistency_proof(1, 2, nodes_of(leaves)), EMPTY_ROOT]
    assert not extends(1, root_of(leaves, 1), 2, root_of(leaves, 2), proof)
    assert not includes(0, 1, leaves[0].hash, [EMPTY_ROOT], root_of(leaves, 1))
