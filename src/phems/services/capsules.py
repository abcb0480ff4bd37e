"""Run capsules that wait for approval: looked at in full, approved, rejected, revoked, used.

Where a project's policy says `approve: capsule`, admission asks here for every run. The approval it finds is
not believed: its signature is verified, over the capsule, the number of runs and the last day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from phems.domain.actors import Actor
from phems.domain.capsule_approvals import (
    CapsuleAction,
    CapsuleApproval,
    CapsuleState,
    approved,
    decided,
    requested,
    statement_of,
    why_not_usable,
)
from phems.domain.capsules import shown
from phems.domain.permissions import Verb
from phems.errors import InputError, NotFoundError, RefusedError
from phems.services.approval_signatures import ApprovalSignatures
from phems.services.ports import Governance, Transaction
from phems.services.ports.clock import Clock
from phems.services.ports.runs import CapsuleDocument
from phems.services.project_access import ProjectAccess
from phems.services.refusals import recorded_refusals

_PREFIX = re.compile(r"[0-9a-f-]{4,64}\Z")


@dataclass(frozen=True)
class CapsuleView:
    """What would run, in full, and what was decided on it; `approval` is None when nobody had to decide."""

    capsule: str
    project: str
    commit: str | None
    document: Mapping[str, Any]
    approval: CapsuleApproval | None


class Capsules:
    """The use cases of run capsules and their approvals."""

    def __init__(
        self, governance: Governance, access: ProjectAccess, signatures: ApprovalSignatures, clock: Clock
    ) -> None:
        self._governance = governance
        self._access = access
        self._signatures = signatures
        self._clock = clock

    def list(
        self, actor: Actor, project: str, states: Sequence[CapsuleState] = ()
    ) -> Sequence[CapsuleApproval]:
        """The capsules of a project that somebody had, or has, to decide on; last asked for first."""
        self._access.check(actor, "capsule.list", project)
        with self._governance.transaction() as work:
            found = work.capsules.of_project(project)
        return [approval for approval in found if not states or approval.state in states]

    def show(self, actor: Actor, project: str, name: str) -> CapsuleView:
        """One capsule, by enough of its first characters, or of those of a run that has it."""
        self._access.check(actor, "capsule.list", project)
        with self._governance.transaction() as work:
            kept = _kept(work, project, name)
            commit, _ = work.runs.code_of(project, kept.document["code"]["digest"])
            return CapsuleView(kept.digest, project, commit, kept.document, work.capsules.get(kept.digest))

    def approve(
        self, actor: Actor, project: str, name: str, *, times: int = 1, days: int | None = None
    ) -> CapsuleApproval:
        """Let a capsule run `times` more times, within so many days from now, signed."""
        self._access.check(actor, "capsule.approve", project)
        with (
            recorded_refusals(self._governance, actor, "capsule.approve", name, project=project),
            self._governance.transaction() as work,
        ):
            before = _asked_for(work, project, name)
            self._signatures.current_key(work, actor.name)
            now = self._clock.now()
            after = approved(before, by=actor.name, at=now, times=times, expires_at=_last_moment(now, days))
            after = replace(after, policy_version=work.policies.current(project).label)
            after = replace(after, signature=self._signatures.sign(work, actor, statement_of(after)))
            work.capsules.save(after)
            _record(work, actor, "capsule.approve", before, after)
        return after

    def reject(self, actor: Actor, project: str, name: str, *, reason: str) -> CapsuleApproval:
        """Refuse a capsule that somebody asked for."""
        return self._decide(actor, project, name, CapsuleAction.REJECT, "capsule.reject", reason)

    def revoke(self, actor: Actor, project: str, name: str, *, reason: str) -> CapsuleApproval:
        """Take an approval back, for good: no run with this capsule starts or goes on."""
        return self._decide(actor, project, name, CapsuleAction.REVOKE, "capsule.revoke", reason)

    # For admission

    def problem(
        self, work: Transaction, project: str, capsule: str, *, requester: str, run_id: str
    ) -> RefusedError | None:
        """Why a run may not use the approval of its capsule now; None when it may, and the approval is held.

        A run that has used it, and goes on, is not counted again, and outlives the last day; its capsule must
        be approved still.
        """
        kept = work.capsules.get(capsule, lock=True)
        counted = kept
        if kept is not None and work.capsules.was_used_by(capsule, run_id):
            counted = replace(kept, used=kept.used - 1, expires_at=None)
        problem = why_not_usable(counted, requester, self._clock.now())
        if problem is None and kept is not None:
            problem = self._forged(work, kept)
        if problem is None:
            return None
        typed = f"--project {project} {shown(capsule)}"
        return RefusedError(
            f"The run capsule {shown(capsule)} needs an approval.",
            why=f"The policy of {project} asks for one before a run, and {problem}.",
            remedy=f"See what would run: phems capsule show {typed}. An Information Asset Owner approves it: "
            f"phems capsule approve {typed}. Then launch it again.",
        )

    def ask(self, work: Transaction, capsule: CapsuleDocument, *, requester: Actor) -> None:
        """Keep a capsule that was refused for want of an approval, for people to decide on. Idempotent."""
        work.runs.add_capsule(capsule)
        if work.capsules.get(capsule.digest) is not None:
            return
        approval = requested(
            capsule.project,
            capsule.digest,
            by=requester.name,
            at=self._clock.now(),
            policy_version=str(capsule.document["policy_version"]),
        )
        work.capsules.save(approval)
        _record(work, requester, "capsule.request", None, approval)

    def _forged(self, work: Transaction, approval: CapsuleApproval) -> str | None:
        if approval.signature is None:
            return "its approval is not signed"
        problem = self._signatures.problem(work, statement_of(approval), approval.signature)
        return f"its approval does not count: {problem}" if problem else None

    def _decide(
        self, actor: Actor, project: str, name: str, action: CapsuleAction, verb: Verb, reason: str
    ) -> CapsuleApproval:
        self._access.check(actor, verb, project)
        if not reason.strip():
            raise InputError(
                f"A reason is missing to {action.value} the run capsule {name}.",
                why="who asked for it and the audit log are told why.",
                remedy=f'phems capsule {action.value} --project {project} {name} --reason "..."',
            )
        with (
            recorded_refusals(self._governance, actor, verb, name, project=project),
            self._governance.transaction() as work,
        ):
            before = _asked_for(work, project, name)
            after = decided(before, action, by=actor.name, at=self._clock.now(), reason=reason.strip())
            after = replace(after, policy_version=work.policies.current(project).label)
            work.capsules.save(after)
            _record(work, actor, verb, before, after)
        return after


def _kept(work: Transaction, project: str, name: str) -> CapsuleDocument:
    found = work.runs.capsule_named(project, name) if _PREFIX.match(name) else ()
    if len(found) > 1:
        raise InputError(
            f"{name} names more than one run capsule of {project}.",
            why=f"two of them: {', '.join(shown(each) for each in found)}.",
            remedy="Give more characters.",
        )
    capsule = work.runs.capsule(found[0]) if found else None
    if capsule is None or capsule.project != project:
        raise NotFoundError(
            f"{project} has no run capsule {name}.",
            why="none begins with these characters (at least 4), and no admitted run does.",
            remedy=f"phems capsule list --project {project}",
        )
    return capsule


def _asked_for(work: Transaction, project: str, name: str) -> CapsuleApproval:
    capsule = _kept(work, project, name)
    approval = work.capsules.get(capsule.digest, lock=True)
    if approval is None:
        raise NotFoundError(
            f"Nobody has to decide on the run capsule {shown(capsule.digest)}.",
            why="it was admitted without: the policy of the project did not ask for an approval.",
            remedy=f"phems capsule show --project {project} {shown(capsule.digest)}",
        )
    return approval


def _last_moment(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now + timedelta(days=days)


def _record(
    work: Transaction, actor: Actor, verb: str, before: CapsuleApproval | None, after: CapsuleApproval
) -> None:
    signature = {"key_id": after.signature.key_id} if after.signature else {}
    work.audit.append(
        actor,
        verb,
        after.capsule,
        project=after.project,
        details={
            "before": before.state.value if before else None,
            "after": after.state.value,
            "times": after.times,
            "used": after.used,
            "expires_at": after.expires_at.isoformat() if after.expires_at else None,
            "policy_version": work.policies.current(after.project).label,
            **signature,
            **({"reason": after.reason} if after.reason else {}),
        },
    )
