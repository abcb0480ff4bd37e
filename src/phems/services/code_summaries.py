"""Code revisions as plain JSON data: the same for the command line and the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phems.domain.audit import timestamp
from phems.domain.code_diffs import CodeDiff
from phems.domain.code_revisions import CodeRevision
from phems.services.code_approvals import CountedApproval


def revision_summary(
    revision: CodeRevision, approvals: Sequence[CountedApproval] = (), diff: CodeDiff | None = None
) -> dict[str, Any]:
    """A code revision; with what its approvals are worth now, and what it changes, where they are given."""
    summary: dict[str, Any] = {
        "project": revision.project,
        "commit": revision.commit,
        "state": revision.state.value,
        "digest": revision.digest,
        "environment_digest": revision.environment_digest,
        "branch": revision.branch,
        "subject": revision.subject,
        "authors": sorted(revision.authors),
        "submitter": revision.submitter,
        "submitted_at": timestamp(revision.submitted_at),
        "turn": revision.turn,
        "decided_by": revision.decided_by,
        "decided_at": timestamp(revision.decided_at) if revision.decided_at else None,
        "reason": revision.reason,
        "approvals": [
            {"approver": each.approver, "at": timestamp(each.at), "turn": each.turn, "note": each.note}
            for each in revision.approvals
        ],
    }
    summary["present_approvals"] = [approval_summary(each) for each in approvals]
    if diff is not None:
        summary["changes"] = diff_summary(diff)
    return summary


def approval_summary(counted: CountedApproval) -> dict[str, Any]:
    """An approval and whether it counts today; `counts` is yes, or why not."""
    approval = counted.approval
    return {
        "approver": approval.approver,
        "at": timestamp(approval.at),
        "counts": "yes" if counted.problem is None else f"no: {counted.problem}",
        "key_id": approval.signature.key_id if approval.signature else None,
        "signature": approval.signature.signature if approval.signature else None,
        "policy_version": approval.policy_version,
        "note": approval.note,
    }


def diff_summary(diff: CodeDiff) -> dict[str, Any]:
    """A diff: text in it comes from project code, and is a reader's to escape."""
    return {
        "base": diff.base,
        "base_state": diff.base_state,
        "dependencies": [
            {
                "name": each.name,
                "kind": each.kind,
                "before": each.before,
                "after": each.after,
                "file": each.file,
            }
            for each in diff.dependencies
        ],
        "unread_locks": list(diff.unread_locks),
        "files": [
            {
                "path": each.path,
                "kind": each.kind,
                "moved_from": each.moved_from,
                "added": each.added,
                "removed": each.removed,
                "notes": list(each.notes),
                "lines": list(each.lines),
            }
            for each in diff.files
        ],
    }
