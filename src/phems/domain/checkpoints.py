"""Checkpoints: what the audit log was at a moment, as a signed note that transparency-log tools read.

The note's text has three lines (c2sp.org/tlog-checkpoint): the *origin*, which names the log, the size of
its Merkle tree in decimal, and the tree's root in base64. There is no time in it: the entry of that number
has one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from phems.domain.merkle import HASH_SIZE, Frontier
from phems.domain.signed_notes import SignatureCheck, SignedNote, VerifierKey, parse_note, sign_note

_LINES = 3
_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed tree head."""

    origin: str
    size: int
    """How many entries the log had."""
    root: bytes
    note: SignedNote

    def __str__(self) -> str:
        return str(self.note)

    def signed_by(self, key: VerifierKey, check: SignatureCheck) -> bool:
        """Whether the key signed it, under the log's own name."""
        return key.name == self.origin and self.note.signed_by(key, check)


def sign_checkpoint(tree: Frontier, key: VerifierKey, sign: Callable[[bytes], str]) -> Checkpoint:
    """The checkpoint of a tree by the log's key, whose name is the log's origin."""
    root = tree.root()
    text = f"{key.name}\n{tree.size}\n{base64.b64encode(root).decode()}\n"
    return Checkpoint(key.name, tree.size, root, sign_note(text, key, sign))


def parse_checkpoint(written: str) -> Checkpoint:
    """A checkpoint of its written form, whoever signed it; ValueError says what is wrong with it.

    Lines after the third are allowed by the format, covered by the signature, and ignored.
    """
    note = parse_note(written)
    lines = note.text.removesuffix("\n").split("\n")
    if len(lines) < _LINES or not all(lines):
        raise ValueError("a checkpoint has three lines and no empty ones")
    origin, size, root = lines[:_LINES]
    return Checkpoint(origin, parse_size(size), parse_hash(root), note)


def parse_size(text: str) -> int:
    """The size of a tree as a checkpoint writes it: decimal, ASCII, no leading zero."""
    plain = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    if not plain or text != str(int(text)):
        raise ValueError("the size is not a decimal number")
    return int(text)


def parse_hash(text: str) -> bytes:
    """A SHA-256 in base64, in the one way to write it."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a hash is not base64") from error
    if len(found) != HASH_SIZE or base64.b64encode(found).decode() != text:
        raise ValueError("a hash is not 32 bytes in base64")
    return found
