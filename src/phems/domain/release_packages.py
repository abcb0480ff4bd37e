"""What goes into a release package: where each file lies, and the manifest that says what it all is.

The manifest is canonical JSON. It names nothing that project code wrote but what the checkers saw:
the released files' names, and the author's context and controls. Files that were not approved are
counted, not named.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from phems.domain.canonical import canonical
from phems.domain.outputs import name_of
from phems.domain.release_facts import NodeIdentity, ReleaseFacts, RunProvenance
from phems.domain.releases import CastVote, FrozenFile, ReleaseRequest

__all__ = ["NodeIdentity"]

MANIFEST_VERSION = 2
FILES_FOLDER = "files"

MANIFEST = "manifest.json"
CRATE = "ro-crate-metadata.json"
CHECKS = "checks.json"
LINEAGE = "lineage.ndjson"
README = "README.html"
ATTESTATION = "attestation.dsse.json"
NOTICE = "REVOKED.json"
NOTICE_ATTESTATION = "REVOKED.dsse.json"

# The generated parts that the attestation vouches for, with what each is for and its media type.
DESCRIBED_PARTS: dict[str, tuple[str, str]] = {
    MANIFEST: ("What was released, from which runs, decided by whom", "application/json"),
    CHECKS: ("What the output checks found about the released files", "application/json"),
    LINEAGE: ("OpenLineage events of the runs that made the files", "application/x-ndjson"),
    README: ("The same for people", "text/html"),
}


def package_paths(files: tuple[FrozenFile, ...]) -> dict[str, str]:
    """Where each file lies in the package: under its own name, or below its run when there are several."""
    several = len({file.run_id for file in files}) > 1
    return {
        file.path: "/".join([FILES_FOLDER, *([file.run_id] if several else []), name_of(file.path)])
        for file in files
    }


def released_digests(request: ReleaseRequest) -> dict[str, str]:
    """The SHA-256 of each file that was reviewed and leaves, by where it lies in the package."""
    paths = package_paths(request.approved_files())
    return {paths[file.path]: file.sha256 for file in request.approved_files()}


def manifest_of(facts: ReleaseFacts) -> bytes:
    """The manifest of a request that is about to be released."""
    request, node = facts.request, facts.node
    paths = package_paths(facts.files)
    return canonical(
        {
            "manifest_version": MANIFEST_VERSION,
            "request": request.id,
            "turn": request.turn,
            "project": request.project,
            "node": node.node,
            "controller": node.controller,
            "tool": {"name": "phems-node", "version": node.tool_version},
            "requester": request.requester,
            "authors": sorted(request.authors),
            "requested_at": time_text(request.requested_at),
            "approved_by": request.decided_by,
            "approved_at": time_text(request.decided_at) if request.decided_at else None,
            "released_at": time_text(facts.released_at),
            "policy": {
                "name": request.policy.name,
                "version": facts.policy_version,
                "votes": request.policy.votes,
                "file_types": list(request.policy.file_types),
                "max_file_size": request.policy.max_file_size,
            },
            "groups": [
                {"name": group.name, "context": group.context, "controls": group.controls}
                for group in facts.groups
            ],
            "runs": [run_json(run) for run in facts.runs],
            "files": [_file(request, file, paths[file.path]) for file in facts.files],
            "files_withheld": facts.files_withheld,
        }
    )


def revocation_notice(request: ReleaseRequest) -> bytes:
    """What joins a package that was released and then revoked."""
    return canonical(
        {
            "request": request.id,
            "state": request.state.value,
            "revoked_by": request.decided_by,
            "revoked_at": time_text(request.decided_at) if request.decided_at else None,
            "reason": request.reason,
            "package_digest": request.package_digest,
        }
    )


def votes_on(request: ReleaseRequest, path: str) -> list[CastVote]:
    """The present turn's votes on one file, by checker."""
    cast = (vote for vote in request.votes if vote.path == path and vote.turn == request.turn)
    return sorted(cast, key=lambda vote: vote.checker)


def vote_json(vote: CastVote) -> dict[str, Any]:
    """A vote as the package has it; the justification is why the file may go though a check failed it."""
    signature = vote.signature
    return {
        "checker": vote.checker,
        "vote": vote.vote.value,
        "at": time_text(vote.at),
        "justification": vote.justification,
        "policy_version": vote.policy_version,
        "signature": {"key_id": signature.key_id, "signature": signature.signature} if signature else None,
    }


def run_json(run: RunProvenance) -> dict[str, Any]:
    """A run as the package has it."""
    origin = run.origin
    return {
        "run": origin.run_id,
        "launched_by": run.launched_by,
        "code_revision": {"commit": origin.commit, "digest": origin.digest},
        "capsule": origin.capsule,
        "data": dict(run.data),
    }


def time_text(moment: datetime) -> str:
    """A moment as the package writes it: RFC 3339, to the millisecond."""
    return moment.isoformat(timespec="milliseconds")


def _file(request: ReleaseRequest, file: FrozenFile, path: str) -> dict[str, Any]:
    return {
        "path": path,
        "sha256": file.sha256,
        "size": file.size,
        "media_type": file.media_type,
        "group": file.group,
        "run": file.run_id,
        "decision": request.decision_on(file.path).value,
        "votes": [vote_json(vote) for vote in votes_on(request, file.path)],
    }
