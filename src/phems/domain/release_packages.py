"""What goes into a release package: where each file lies, and the manifest that says what it all is.

The manifest is canonical JSON. It names nothing that project code wrote but what the checkers saw:
the released files' names, and the author's context and controls. Files that were not approved are
counted, not named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phems.domain.canonical import canonical
from phems.domain.outputs import name_of
from phems.domain.releases import FrozenFile, ReleaseRequest, RunOrigin

MANIFEST_VERSION = 1
FILES_FOLDER = "files"


@dataclass(frozen=True)
class NodeIdentity:
    """Who releases: the node, its Data Controller, and the version of this software."""

    node: str
    controller: str
    tool_version: str


def package_paths(files: tuple[FrozenFile, ...]) -> dict[str, str]:
    """Where each file lies in the package: under its own name, or below its run when there are several."""
    several = len({file.run_id for file in files}) > 1
    return {
        file.path: "/".join([FILES_FOLDER, *([file.run_id] if several else []), name_of(file.path)])
        for file in files
    }


def manifest_of(request: ReleaseRequest, identity: NodeIdentity, *, released_at: datetime) -> bytes:
    """The manifest of a request that is about to be released."""
    released = request.approved_files()
    paths = package_paths(released)
    groups = {file.group for file in released}
    runs = {file.run_id for file in released}
    return canonical(
        {
            "manifest_version": MANIFEST_VERSION,
            "request": request.id,
            "turn": request.turn,
            "project": request.project,
            "node": identity.node,
            "controller": identity.controller,
            "tool": {"name": "phems-node", "version": identity.tool_version},
            "requester": request.requester,
            "authors": sorted(request.authors),
            "requested_at": _time(request.requested_at),
            "approved_by": request.decided_by,
            "approved_at": _time(request.decided_at) if request.decided_at else None,
            "released_at": _time(released_at),
            "policy": {
                "name": request.policy.name,
                "votes": request.policy.votes,
                "file_types": list(request.policy.file_types),
                "max_file_size": request.policy.max_file_size,
            },
            "groups": [
                {"name": group.name, "context": group.context, "controls": group.controls}
                for group in request.groups
                if group.name in groups
            ],
            "runs": [
                _run(run) for run in sorted(request.runs, key=lambda run: run.run_id) if run.run_id in runs
            ],
            "files": [_file(request, file, paths[file.path]) for file in released],
            "files_withheld": len(request.outputs()) - len(released),
        }
    )


def revocation_notice(request: ReleaseRequest) -> bytes:
    """What joins a package that was released and then revoked."""
    return canonical(
        {
            "request": request.id,
            "state": request.state.value,
            "revoked_by": request.decided_by,
            "revoked_at": _time(request.decided_at) if request.decided_at else None,
            "reason": request.reason,
            "package_digest": request.package_digest,
        }
    )


def _file(request: ReleaseRequest, file: FrozenFile, path: str) -> dict[str, Any]:
    votes = sorted(
        (vote for vote in request.votes if vote.path == file.path and vote.turn == request.turn),
        key=lambda vote: vote.checker,
    )
    return {
        "path": path,
        "sha256": file.sha256,
        "size": file.size,
        "media_type": file.media_type,
        "group": file.group,
        "run": file.run_id,
        "decision": request.decision_on(file.path).value,
        "votes": [{"checker": vote.checker, "vote": vote.vote.value, "at": _time(vote.at)} for vote in votes],
    }


def _run(run: RunOrigin) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "launched_by": run.launched_by,
        "code_revision": {"commit": run.commit, "digest": run.digest},
        "capsule": run.capsule,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
