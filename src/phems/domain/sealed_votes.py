"""Votes as the audit log and their signatures name them.

While checkers are blind to each other, so must be who reads the audit log: one of them may be an Auditor.
The entry of a blind vote holds a seal, SHA-256 over the vote and 16 random bytes that are kept with it; the
entry that opens the votes has both, so that nobody can say another vote was sealed. (A commitment; without
the random bytes, three guesses would open it.)

Files are named by the SHA-256 of their content: a name comes from project code, and may hold anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phems.domain.approvals import Statement
from phems.domain.canonical import digest
from phems.domain.releases import CastVote, ReleaseRequest

NONCE_BYTES = 16


def seal_of(request_id: str, vote: CastVote, sha256: str) -> str:
    """What the audit log has of a vote on the file with this digest, as long as it is sealed."""
    return digest(
        {
            "request": request_id,
            "turn": vote.turn,
            "file": sha256,
            "checker": vote.checker,
            "vote": vote.vote.value,
            "nonce": vote.nonce,
        }
    )


def sealed(request: ReleaseRequest, vote: CastVote) -> dict[str, Any]:
    """The audit log's line on a vote of the blind phase."""
    sha256 = request.file(vote.path).sha256
    return {"file": sha256, "sealed": seal_of(request.id, vote, sha256)}


def opened(request: ReleaseRequest, vote: CastVote) -> dict[str, Any]:
    """The audit log's line on a vote that may be seen; why it was justified is kept with the vote alone."""
    return {
        "file": request.file(vote.path).sha256,
        "checker": vote.checker,
        "vote": vote.vote.value,
        "justified": bool(vote.justification),
        "reason_given": bool(vote.reason),
        **({"key_id": vote.signature.key_id} if vote.signature else {}),
        **({"nonce": vote.nonce} if vote.nonce else {}),
    }


def opens(request_id: str, turn: int, sealed_line: Mapping[str, Any], opened_line: Mapping[str, Any]) -> bool:
    """Whether an opened vote of the audit log is the one that was sealed: for who checks the log."""
    told = {key: opened_line.get(key) for key in ("file", "checker", "vote", "nonce")}
    return sealed_line.get("sealed") == digest({"request": request_id, "turn": turn, **told})


def statement_of(request_id: str, vote: CastVote, sha256: str) -> Statement:
    """What a checker signs: their vote on the bytes with this digest, in one turn of one request."""
    return Statement(
        what="release.vote",
        subject=f"{request_id} turn {vote.turn} {vote.path}",
        digest=sha256,
        decision=vote.vote.value,
        by=vote.checker,
        at=vote.at,
        policy_version=vote.policy_version,
    )
