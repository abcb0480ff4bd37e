"""Proofs about the audit log: made from the database, checked with the node's public key alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from phems.domain.audit import Head
from phems.domain.canonical import parse
from phems.domain.checkpoint_proofs import (
    CONSISTENCY,
    INCLUSION,
    ConsistencyProof,
    InclusionProof,
    parse_consistency_proof,
    parse_inclusion_proof,
)
from phems.domain.checkpoints import Checkpoint
from phems.domain.merkle import Nodes
from phems.domain.merkle_proofs import consistency_proof, inclusion_proof
from phems.domain.signed_notes import VerifierKey
from phems.errors import InputError, IntegrityError, NotFoundError
from phems.services.checkpoints import root_at
from phems.services.ports.audit import AuditTree, AuditWriter, SignatureCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenEntry:
    """What a proof of an entry shows."""

    entry: dict[str, Any]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenExtension:
    """What a proof of consistency shows."""

    old: Checkpoint
    checkpoint: Checkpoint


def prove_entry(log: AuditWriter, seq: int, checkpoint: Checkpoint) -> InclusionProof:
    """The proof that entry `seq` is in the log of the checkpoint; it is checked before it is given out."""
    entry = log.entry(seq)
    if entry is None or seq > checkpoint.size:
        raise NotFoundError(
            f"The audit log has no entry {seq} that is signed.",
            why=f"it has {checkpoint.size} signed entries, numbered from 1.",
            remedy="phems audit tail",
        )
    hashes = inclusion_proof(seq - 1, checkpoint.size, nodes_of(log))
    proof = InclusionProof(entry.canonical(), seq - 1, tuple(hashes), checkpoint)
    if not proof.holds():
        raise _does_not_hold()
    return proof


def prove_extension(log: AuditWriter, old: int, head: Head, checkpoint: Checkpoint) -> ConsistencyProof:
    """The proof that the log of the checkpoint begins with what it was at the size `old`."""
    if not 0 <= old <= checkpoint.size:
        raise InputError(
            f"The audit log never had {old} entries.",
            why=f"it has {checkpoint.size} signed entries.",
            remedy="Name the size in the second line of a checkpoint: phems audit consistency --from SIZE",
        )
    hashes = tuple(consistency_proof(old, checkpoint.size, nodes_of(log)))
    proof = ConsistencyProof(old, hashes, checkpoint)
    root = root_at(old, head, log)
    if root is None or not proof.holds(Checkpoint(checkpoint.origin, old, root, checkpoint.note)):
        raise _does_not_hold()
    return proof


def nodes_of(log: AuditTree) -> Nodes:
    """The perfect subtrees of the log's tree: each is told by the entry that completes it."""

    def node(level: int, index: int) -> bytes:
        leaf = log.leaf((index + 1) << level)
        if leaf is None:
            raise _does_not_hold()
        return leaf.node(level)

    return node


def is_proof(first_line: str) -> bool:
    """Whether a file that begins like this is a proof."""
    return first_line.strip() == INCLUSION or first_line.startswith(CONSISTENCY)


def check_proof(
    text: str, *, check: SignatureCheck, trusted: VerifierKey, old: Checkpoint | None = None
) -> ProvenEntry | ProvenExtension:
    """What a proof shows; IntegrityError when it shows nothing.

    1. The checkpoint in it is signed by the key, for the log that the key is of.
    2. The hashes lead from the entry to the checkpoint's root; or from the older checkpoint's root, which is
       given as `old` and signed by the same key, to it.
    """
    try:
        proof: InclusionProof | ConsistencyProof = (
            parse_inclusion_proof(text) if text.startswith(INCLUSION) else parse_consistency_proof(text)
        )
    except ValueError as error:
        raise InputError(
            "This is not a proof of an audit log.",
            why=f"{error}.",
            remedy="Name a file that was written by: phems audit prove, or phems audit consistency",
        ) from error
    _check_signed(proof.checkpoint, trusted, check)  # 1
    if isinstance(proof, InclusionProof):
        if not proof.holds():  # 2
            raise IntegrityError(
                "The proof does not hold: the signed log does not have this entry there.",
                why="the hashes do not lead from the entry to the root that was signed.",
                remedy="Ask the node for another: phems audit prove SEQ",
            )
        return ProvenEntry(entry=_entry(proof.entry), checkpoint=proof.checkpoint)
    if old is None:
        raise InputError(
            "A proof of consistency is about an older checkpoint, too.",
            why=f"this one says how the log goes on from {proof.old} entries.",
            remedy="Name the checkpoint that you kept: phems audit verify FILE --anchor CHECKPOINT",
        )
    _check_signed(old, trusted, check)  # 1
    if not proof.holds(old):  # 2
        raise IntegrityError(
            f"The proof does not hold: the log of {proof.checkpoint.size} entries does not begin with the "
            f"one that was signed at {old.size}.",
            why="the hashes do not lead from the older root to the newer.",
            remedy="If the sizes are right, the log was written anew between the two: phems audit verify",
        )
    return ProvenExtension(old=old, checkpoint=proof.checkpoint)


def _entry(written: bytes) -> dict[str, Any]:
    try:
        found = parse(written)
    except (ValueError, json.JSONDecodeError):
        found = None
    if not isinstance(found, dict):
        raise IntegrityError("The proof is of something that is not an audit entry.", why="it is not JSON.")
    return found


def _check_signed(checkpoint: Checkpoint, key: VerifierKey, check: SignatureCheck) -> None:
    if not checkpoint.signed_by(key, check):
        raise IntegrityError(
            f"The checkpoint of {checkpoint.size} entries is not signed by the key of {key.name}.",
            why="it is of another log, or was changed, or the key is another.",
            remedy="Name the node's key as its operator gave it to you: --key audit.pub.pem",
        )


def _does_not_hold() -> IntegrityError:
    return IntegrityError(
        "The audit log gives no proof: its stored tree does not lead to what was signed.",
        why="entries, or the tree kept with them, were changed.",
        remedy="Find out what changed it: phems audit verify",
    )
