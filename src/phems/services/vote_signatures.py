"""Votes signed where their checker has a key, and verified by whoever acts on them."""

from __future__ import annotations

from dataclasses import replace

from phems.domain.actors import Actor
from phems.domain.releases import CastVote, ReleaseRequest
from phems.domain.sealed_votes import statement_of
from phems.services.approval_signatures import ApprovalSignatures
from phems.services.ports import Transaction


class VoteSignatures:
    """Signs and verifies votes. A checker without a key that the node holds votes unsigned."""

    def __init__(self, signatures: ApprovalSignatures) -> None:
        self._signatures = signatures

    def signed(self, work: Transaction, actor: Actor, request: ReleaseRequest, vote: CastVote) -> CastVote:
        """The vote with the actor's signature, when the node holds a key of theirs."""
        statement = statement_of(request.id, vote, request.file(vote.path).sha256)
        return replace(vote, signature=self._signatures.sign_if_held(work, actor, statement))

    def problem(self, work: Transaction, request: ReleaseRequest, vote: CastVote) -> str | None:
        """Why a vote of the present turn does not count; None when it does.

        1. A vote with a signature: the signature is the checker's, over this vote on these bytes.
        2. One without: its checker had no key when they voted that the node could have signed with.
        """
        if vote.signature is not None:  # 1
            statement = statement_of(request.id, vote, request.file(vote.path).sha256)
            return self._signatures.problem(work, statement, vote.signature)
        for key in work.approver_keys.of_person(vote.checker):  # 2
            ended = key.ended_at is not None and key.ended_at <= vote.at
            if key.held_by == "node" and key.registered_at <= vote.at and not ended:
                return f"it is not signed, though {vote.checker} had the key {key.key_id}"
        return None
