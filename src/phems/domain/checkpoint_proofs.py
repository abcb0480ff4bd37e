"""Proofs as files that stand for themselves: an entry is in the log; the log extends what it was before.

An inclusion proof is a C2SP tlog-proof (c2sp.org/tlog-proof): the entry's bytes as its extra data, its
index (from 0), the hashes up to the root, and the checkpoint that has this root. A consistency proof has
the form of the request to a witness (c2sp.org/tlog-witness, add-checkpoint): the old size, the hashes, the
new checkpoint.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from phems.domain.checkpoints import Checkpoint, parse_checkpoint, parse_hash, parse_size
from phems.domain.merkle import leaf_hash
from phems.domain.merkle_proofs import extends, includes

INCLUSION = "c2sp.org/tlog-proof@v1"
CONSISTENCY = "old "
_MOST_HASHES = 64


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That the log has an entry."""

    entry: bytes
    """The entry's canonical bytes, the data of the leaf."""
    index: int
    """From 0: one less than the entry's number."""
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint

    def __str__(self) -> str:
        extra = base64.b64encode(self.entry).decode()
        lines = [INCLUSION, f"extra {extra}", f"index {self.index}", *_written(self.hashes)]
        return "\n".join(lines) + f"\n\n{self.checkpoint}"

    def holds(self) -> bool:
        """Whether the tree of the checkpoint has the entry there; who signed the checkpoint is not asked."""
        head, leaf = self.checkpoint, leaf_hash(self.entry)
        return includes(self.index, head.size, leaf, self.hashes, head.root)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the log of a checkpoint begins with the log as it was at an older size."""

    old: int
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint

    def __str__(self) -> str:
        return "\n".join([f"{CONSISTENCY}{self.old}", *_written(self.hashes)]) + f"\n\n{self.checkpoint}"

    def holds(self, old: Checkpoint) -> bool:
        """Whether the tree extends that of the older checkpoint; who signed the two is not asked."""
        new = self.checkpoint
        same_log = old.size == self.old and old.origin == new.origin
        return same_log and extends(old.size, old.root, new.size, new.root, self.hashes)


def parse_inclusion_proof(text: str) -> InclusionProof:
    """A proof of its written form; ValueError says what is wrong with it."""
    proof, checkpoint = _parted(text)
    if proof[0] != INCLUSION or len(proof) < 3:  # noqa: PLR2004 (name, entry, index)
        raise ValueError("it is not a proof that an entry is in the log")
    entry, index = (_after(word, line) for word, line in zip(("extra ", "index "), proof[1:3], strict=True))
    try:
        data = base64.b64decode(entry, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the entry is not base64") from error
    return InclusionProof(data, parse_size(index), _read(proof[3:]), checkpoint)


def parse_consistency_proof(text: str) -> ConsistencyProof:
    """A proof of its written form; ValueError says what is wrong with it."""
    proof, checkpoint = _parted(text)
    return ConsistencyProof(parse_size(_after(CONSISTENCY, proof[0])), _read(proof[1:]), checkpoint)


def _parted(text: str) -> tuple[list[str], Checkpoint]:
    proof, found, checkpoint = text.partition("\n\n")
    if not found:
        raise ValueError("the checkpoint is missing")
    return proof.split("\n"), parse_checkpoint(checkpoint)


def _after(word: str, line: str) -> str:
    if not line.startswith(word):
        raise ValueError(f"a line does not begin with {word.strip()}")
    return line.removeprefix(word)


def _written(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(each).decode() for each in hashes]


def _read(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > _MOST_HASHES:
        raise ValueError(f"a proof has at most {_MOST_HASHES} hashes")
    return tuple(map(parse_hash, lines))
