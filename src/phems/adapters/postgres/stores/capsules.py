"""Approvals of run capsules in Postgres."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.domain.approvals import Signature
from phems.domain.capsule_approvals import CapsuleApproval, CapsuleState

_SELECT = (
    "SELECT a.*, (SELECT count(*) FROM governance.capsule_uses u WHERE u.capsule = a.capsule) AS used "
    "FROM governance.capsule_approvals a WHERE "
)


class PostgresCapsulesStore:
    """`CapsuleApprovalStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, capsule: str, *, lock: bool = False) -> CapsuleApproval | None:
        """The approval of a capsule."""
        if lock:
            # A statement of its own: the count of uses must be taken after the lock is held.
            self._connection.execute(
                text("SELECT 1 FROM governance.capsule_approvals WHERE capsule = :capsule FOR UPDATE"),
                {"capsule": capsule},
            )
        row = self._connection.execute(text(_SELECT + "a.capsule = :capsule"), {"capsule": capsule}).first()
        return None if row is None else _approval(row)

    def of_project(self, project: str) -> Sequence[CapsuleApproval]:
        """All of a project, last asked for first."""
        rows = self._connection.execute(
            text(_SELECT + "a.project = :project ORDER BY a.asked_at DESC, a.capsule"), {"project": project}
        )
        return [_approval(row) for row in rows]

    def waiting_for(self, people: Collection[str], projects: Collection[str]) -> Sequence[CapsuleApproval]:
        """What may wait for people, last asked for first."""
        where = (
            "a.project = ANY(:projects) AND (a.state = 'REQUESTED' OR (a.state = 'APPROVED' AND "
            "a.asked_by = ANY(:people) AND NOT EXISTS "
            "(SELECT 1 FROM governance.capsule_uses u WHERE u.capsule = a.capsule))) "
            "ORDER BY a.asked_at DESC, a.capsule"
        )
        values = {"people": list(people), "projects": list(projects)}
        return [_approval(row) for row in self._connection.execute(text(_SELECT + where), values)]

    def save(self, approval: CapsuleApproval) -> None:
        """Add it, or bring it up to date."""
        self._connection.execute(
            text(
                """
                INSERT INTO governance.capsule_approvals (
                    project, capsule, state, asked_by, asked_at, decided_by, decided_at, reason, times,
                    expires_at, policy_version, key_id, signature
                ) VALUES (
                    :project, :capsule, :state, :asked_by, :asked_at, :decided_by, :decided_at, :reason,
                    :times, :expires_at, :policy_version, :key_id, :signature
                ) ON CONFLICT (capsule) DO UPDATE SET
                    state = excluded.state, decided_by = excluded.decided_by,
                    decided_at = excluded.decided_at, reason = excluded.reason, times = excluded.times,
                    expires_at = excluded.expires_at, policy_version = excluded.policy_version,
                    key_id = excluded.key_id, signature = excluded.signature
                """
            ),
            {
                "project": approval.project,
                "capsule": approval.capsule,
                "state": approval.state.value,
                "asked_by": approval.asked_by,
                "asked_at": approval.asked_at,
                "decided_by": approval.decided_by,
                "decided_at": approval.decided_at,
                "reason": approval.reason,
                "times": approval.times,
                "expires_at": approval.expires_at,
                "policy_version": approval.policy_version,
                "key_id": approval.signature.key_id if approval.signature else "",
                "signature": approval.signature.signature if approval.signature else "",
            },
        )

    def use(self, capsule: str, run_id: str, at: datetime) -> None:
        """Record that a run has used the approval."""
        self._connection.execute(
            text(
                "INSERT INTO governance.capsule_uses (capsule, run_id, at) "
                "VALUES (:capsule, :run_id, :at) ON CONFLICT DO NOTHING"
            ),
            {"capsule": capsule, "run_id": run_id, "at": at},
        )

    def was_used_by(self, capsule: str, run_id: str) -> bool:
        """Whether a run has used the approval."""
        found = self._connection.execute(
            text("SELECT 1 FROM governance.capsule_uses WHERE capsule = :capsule AND run_id = :run_id"),
            {"capsule": capsule, "run_id": run_id},
        )
        return found.first() is not None


def _approval(row: Row[Any]) -> CapsuleApproval:
    return CapsuleApproval(
        project=row.project,
        capsule=row.capsule,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        state=CapsuleState(row.state),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        reason=row.reason,
        times=row.times,
        expires_at=row.expires_at,
        policy_version=row.policy_version,
        signature=Signature(row.key_id, row.signature) if row.key_id else None,
        used=row.used,
    )
