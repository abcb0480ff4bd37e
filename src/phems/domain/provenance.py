"""What the node signs of a package: in-toto statements, over every byte of it.

A statement (in-toto Attestation Framework, Statement v1) names its subjects by SHA-256 and says something of
them, the predicate. Its bytes are canonical JSON, so that signing them again gives the same signature. The
predicate types are the node's own: none that is published speaks of release decisions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phems.domain.canonical import canonical, parse, sha256
from phems.domain.release_facts import ReleaseFacts
from phems.domain.release_packages import (
    ATTESTATION,
    NOTICE,
    package_paths,
    run_json,
    time_text,
    vote_json,
    votes_on,
)
from phems.domain.releases import ReleaseRequest
from phems.errors import IntegrityError

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
RELEASE = "urn:phems:attestation:release:v1"
REVOCATION = "urn:phems:attestation:revocation:v1"

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Statement:
    """A statement that was read: the SHA-256 of each subject by its path, and what is said of them."""

    subjects: Mapping[str, str]
    predicate: Mapping[str, Any]


def release_statement(facts: ReleaseFacts, digests: Mapping[str, str]) -> bytes:
    """What is signed of a package whose files and parts have these digests."""
    request, paths = facts.request, package_paths(facts.files)
    predicate = {
        "request": request.id,
        "turn": request.turn,
        "project": request.project,
        "node": facts.node.node,
        "controller": facts.node.controller,
        "tool": {"name": "phems-node", "version": facts.node.tool_version},
        "policy": {"name": request.policy.name, "version": facts.policy_version},
        "runs": [run_json(run) for run in facts.runs],
        "decisions": [
            {
                "path": paths[file.path],
                "decision": request.decision_on(file.path).value,
                "votes": [vote_json(vote) for vote in votes_on(request, file.path)],
            }
            for file in facts.files
        ],
        "approved_by": request.decided_by,
        "approved_at": time_text(request.decided_at) if request.decided_at else None,
        "released_at": time_text(facts.released_at),
    }
    return _statement(RELEASE, digests, predicate)


def revocation_statement(request: ReleaseRequest, notice: bytes, attestation: bytes) -> bytes:
    """What is signed of a revocation: the notice, and which package it is about."""
    predicate = {
        "request": request.id,
        "project": request.project,
        "revoked_by": request.decided_by,
        "revoked_at": time_text(request.decided_at) if request.decided_at else None,
        "reason": request.reason,
    }
    return _statement(REVOCATION, {NOTICE: sha256(notice), ATTESTATION: sha256(attestation)}, predicate)


def read_statement(payload: bytes, predicate_type: str) -> Statement:
    """Read a statement of this predicate type; `IntegrityError` for anything else."""
    try:
        value = parse(payload)
        known = (value["_type"], value["predicateType"]) == (STATEMENT_TYPE, predicate_type)
        subjects = {subject["name"]: subject["digest"]["sha256"] for subject in value["subject"]}
        predicate = value["predicate"]
        sound = all(isinstance(name, str) and _SHA256.fullmatch(found) for name, found in subjects.items())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_statement(predicate_type, repr(error)) from error
    if not (known and sound and len(subjects) == len(value["subject"]) and isinstance(predicate, dict)):
        raise _no_statement(predicate_type, "its type, its subjects or its predicate are not of that form")
    return Statement(subjects, predicate)


def _statement(predicate_type: str, digests: Mapping[str, str], predicate: Mapping[str, Any]) -> bytes:
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": path, "digest": {"sha256": digests[path]}} for path in sorted(digests)],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def _no_statement(predicate_type: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"What was signed is no in-toto statement of the type {predicate_type}.",
        why=f"{why}.",
        remedy="Fetch the package again from the node that released it.",
    )
