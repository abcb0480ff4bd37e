"""Replaying decisions: a past decision is taken again, from what was kept of it, under the version it names.

The outcome must be the same. If it is not, what was kept has been changed, or the rules of the software have;
either is worth knowing. A replay changes nothing, and is itself an entry of the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from phems.domain.actors import Actor
from phems.domain.admission import AdmissionInputs
from phems.domain.audit import Entry
from phems.domain.policy_versions import NODE_SCOPE, PolicyState, PolicyVersion
from phems.domain.releases import FileKind
from phems.domain.replays import (
    Replay,
    approval_rules,
    approvers_until,
    recorded_admission,
    replayed_admission,
    replayed_code_approval,
    replayed_release,
    votes_until,
)
from phems.errors import InputError, IntegrityError, NotFoundError
from phems.nodespec.governed import complete
from phems.services.ports import Governance, Transaction

_ONCE_IN_FORCE = frozenset({PolicyState.IN_FORCE, PolicyState.REPLACED})


class Replays:
    """The use case."""

    def __init__(self, governance: Governance) -> None:
        self._governance = governance

    def replay(self, actor: Actor, seq: int) -> Replay:
        """Take the decision of audit entry `seq` again.

        Raises `NotFoundError` without such an entry, `InputError` for one that is no decision or of which
        nothing was kept, `IntegrityError` when what was kept is not what its digest names.
        """
        with self._governance.transaction() as work:
            entry = work.audit.entry(seq)
            if entry is None:
                raise NotFoundError(f"There is no audit entry {seq}.", remedy="phems audit tail")
            found = _replayed(work, entry)
            work.audit.append(
                actor,
                "audit.replay",
                str(seq),
                project=entry.project,
                details={"policy_version": found.policy_version, "is_same": found.is_same},
            )
        return found


def _replayed(work: Transaction, entry: Entry) -> Replay:
    again = _REPLAYS.get(entry.action)
    if again is None or entry.project is None or not _is_kept(entry):
        raise InputError(
            f"Audit entry {entry.seq} ({entry.action}, {entry.result}) cannot be replayed.",
            why=f"what was kept to decide again are the inputs of: {', '.join(sorted(_REPLAYS))}; "
            "of a refusal, only of run.admit.",
            remedy="phems audit tail",
        )
    return again(work, entry, entry.project)


def _is_kept(entry: Entry) -> bool:
    if entry.action.startswith("run."):
        return "inputs" in entry.details
    return entry.result == "done" and "policy_version" in entry.details


def _admission(work: Transaction, entry: Entry, project: str) -> Replay:
    version = _version(work, project, entry.details["policy_version"])
    inputs = AdmissionInputs.from_json(entry.details["inputs"], run_id=entry.subject, project=project)
    if entry.result == "done":
        _check_capsule(work, entry)
    return _replay(
        entry,
        project,
        version,
        recorded=recorded_admission(entry.result, entry.details),
        replayed=replayed_admission(inputs, complete(version.content)),
        inputs={**entry.details["inputs"], "capsule": entry.details["capsule"]},
    )


def _check_capsule(work: Transaction, entry: Entry) -> None:
    """The capsule that was admitted must be on record in full, under its digest and this policy version."""
    admission = work.runs.admission(entry.subject)
    kept = work.runs.capsule(entry.details["capsule"])
    is_there = kept is not None and admission is not None
    if is_there and kept and admission and entry.action == "run.admit":
        same_version = kept.document["policy_version"] == entry.details["policy_version"]
        is_there = same_version and admission.capsule == kept.digest
    if not is_there:
        raise IntegrityError(
            f"The run capsule of audit entry {entry.seq} is not on record as it was admitted.",
            why="the database does not agree with the audit log.",
            remedy="phems audit verify; then restore the database from a backup.",
        )


def _code_approval(work: Transaction, entry: Entry, project: str) -> Replay:
    version = _version(work, project, entry.details["policy_version"])
    at = _moment(entry)
    content = complete(version.content)
    revision = work.code_revisions.get(project, entry.subject)
    if revision is None:
        raise NotFoundError(f"The code revision {entry.subject[:12]} of {project} is not on record.")
    approvers = approvers_until(revision, entry.details["turn"], at, content)
    rules = approval_rules(content, _in_force_at(work, NODE_SCOPE, at).content)
    return _replay(
        entry,
        project,
        version,
        recorded=str(entry.details["after"]),
        replayed=replayed_code_approval(approvers, rules),
        inputs={
            "approvers": sorted(approvers),
            "authors": sorted(revision.authors),
            "needed": rules.needed,
            "different_organisations": rules.different_organisations,
        },
    )


def _release_approval(work: Transaction, entry: Entry, project: str) -> Replay:
    request = work.releases.get(entry.subject)
    if request is None:
        raise NotFoundError(f"The release request {entry.subject} is not on record.")
    at, turn = _moment(entry), int(entry.details["turn"])
    # A turn is reviewed under the rules that it began under, whatever is in force when it ends.
    began = request.asked_at or request.requested_at
    version = _in_force_at(work, project, began)
    files = work.releases.files_of_turn(entry.subject, turn) if turn != request.turn else request.files
    outputs = [file for file in files if file.kind is FileKind.OUTPUT]
    votes = votes_until((*request.replaced_votes, *request.votes), turn, at)
    needed = int(complete(version.content)["policy"]["votes"])
    approved = replayed_release(outputs, votes, needed)
    return _replay(
        entry,
        project,
        version,
        recorded=_files_told(entry.details.get("files", ())),
        replayed=_files_told(approved),
        inputs={
            "needed": needed,
            "files": len(outputs),
            "votes": sum(len(by_checker) for by_checker in votes.values()),
        },
    )


def _files_told(digests: Any) -> str:
    return "approved: " + (", ".join(sorted(digests)) or "nothing")


def _version(work: Transaction, project: str, label: str) -> PolicyVersion:
    """The version of a label; one whose digest is another is not the one that was decided under."""
    record = work.policies.get(project, int(label.partition(":")[0]))
    if record is None:
        raise InputError(
            f"The decision was made under no numbered policy version ({label}).",
            why="the node had none at the time, so its rules are not on record.",
            remedy=f"phems policy list --project {project}",
        )
    if record.version.label != label:
        raise IntegrityError(
            f"Policy version {record.name} is not the one that the decision names ({label}).",
            why=f"on record is {record.version.label}.",
            remedy="phems audit verify; then restore the database from a backup.",
        )
    return record.version


def _in_force_at(work: Transaction, scope: str, at: datetime) -> PolicyVersion:
    """The version that was in force at a moment; before the first, the first."""
    records = [
        record
        for record in work.policies.of_scope(scope)
        if record.state in _ONCE_IN_FORCE and record.decided_at is not None
    ]
    if not records:
        raise InputError(
            f"{scope or 'The node'} had no policy version then.",
            why="its rules are not on record.",
        )
    return next(
        (record.version for record in records if record.decided_at is not None and record.decided_at <= at),
        records[-1].version,
    )


def _moment(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.at)


def _replay(
    entry: Entry,
    project: str,
    version: PolicyVersion,
    *,
    recorded: str,
    replayed: str,
    inputs: Mapping[str, Any],
) -> Replay:
    return Replay(
        seq=entry.seq,
        action=entry.action,
        subject=entry.subject,
        project=project,
        policy_version=version.label,
        recorded=recorded,
        replayed=replayed,
        inputs=inputs,
    )


_REPLAYS: Mapping[str, Callable[[Transaction, Entry, str], Replay]] = {
    "run.admit": _admission,
    "run.resume": _admission,
    "code.approve": _code_approval,
    "release.approve": _release_approval,
}
