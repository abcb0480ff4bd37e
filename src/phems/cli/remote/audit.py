"""The audit log of a node at an address: proofs are parsed here, and can be verified without the node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from phems.cli.remote.api import NodeApi
from phems.domain.actors import Actor
from phems.domain.audit import Entry
from phems.domain.audit_verification import Finding
from phems.domain.checkpoint_proofs import (
    ConsistencyProof,
    InclusionProof,
    parse_consistency_proof,
    parse_inclusion_proof,
)
from phems.domain.checkpoints import Checkpoint, parse_checkpoint
from phems.domain.replays import Replay
from phems.domain.signed_notes import VerifierKey
from phems.errors import IntegrityError
from phems.services.audit_anchors import AnchorState
from phems.services.audit_export import Verification

Parsed = TypeVar("Parsed")


class RemoteAudit:
    """`AuditPort`, `AnchorPort` and `ReplayPort` over the API."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    @property
    def key(self) -> VerifierKey:
        """The key that the node says it signs checkpoints with."""
        return _parsed(VerifierKey.parse, self._api.get("/keys")["audit"])

    def tail(self, _actor: Actor, count: int, *, project: str | None = None) -> Sequence[Entry]:
        """The last entries, the newest last."""
        rows = self._api.get("/audit/entries", count=count, project=project)
        return [self._api.decode(Entry, row) for row in rows]

    def export(self, _actor: Actor) -> Iterator[bytes]:
        """The whole log, line by line."""
        left = b""
        for chunk in self._api.file("/audit/export"):
            *lines, left = (left + chunk).split(b"\n")
            yield from (line + b"\n" for line in lines)
        if left:
            yield left

    def verify(self, _actor: Actor) -> Verification:
        """What the node finds when it verifies its own log."""
        found = self._api.get("/audit/verification")
        checkpoint = found["checkpoint"]
        return Verification(
            entries=found["entries"],
            checkpoint=None if checkpoint is None else _parsed(parse_checkpoint, checkpoint),
            public_key=found["public_key"],
            finding=self._api.decode(Finding, found["finding"]) if found["finding"] else None,
            anchors=tuple(found["anchors"]),
            silent_anchors=tuple(found["silent_anchors"]),
        )

    def prove(self, _actor: Actor, seq: int) -> InclusionProof:
        """The proof that an entry is in the log."""
        return _parsed(parse_inclusion_proof, self._api.get("/audit/proof", entry=seq)["text"])

    def prove_extension(self, _actor: Actor, old: int) -> ConsistencyProof:
        """The proof that the log goes on from what it was."""
        return _parsed(parse_consistency_proof, self._api.get("/audit/consistency", size=old)["text"])

    def checkpoint(self, _actor: Actor) -> Checkpoint:
        """The last signed checkpoint."""
        return _parsed(parse_checkpoint, self._api.get("/audit/checkpoint")["text"])

    def replay(self, _actor: Actor, seq: int) -> Replay:
        """Have a past decision taken again."""
        return self._api.decode(Replay, self._api.get(f"/audit/entries/{seq}/replay"))

    def states(self) -> Sequence[AnchorState]:
        """The outside anchors."""
        return self._states(self._api.get("/audit/anchors"))

    def submit(self) -> Sequence[AnchorState]:
        """Have the last checkpoint handed to them."""
        return self._states(self._api.post("/audit/anchor"))

    def _states(self, rows: Any) -> Sequence[AnchorState]:
        return [self._api.decode(AnchorState, row) for row in rows]


def _parsed(parse: Callable[[str], Parsed], text: str) -> Parsed:
    try:
        return parse(text)
    except ValueError as error:
        raise IntegrityError(
            "What the node gives as signed is not in the form of a checkpoint or a proof.",
            why=f"{error}.",
            remedy="Ask the node's operator.",
        ) from error
