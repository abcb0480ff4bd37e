"""Approvals of run capsules as the use cases see them, within one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from phems.domain.capsule_approvals import CapsuleApproval


class CapsuleApprovalStore(Protocol):
    """Keeps what was asked for and decided, and which runs have used it; nothing is ever removed."""

    def get(self, capsule: str, *, lock: bool = False) -> CapsuleApproval | None:
        """The approval of a capsule; with `lock`, nobody else uses or changes it meanwhile."""
        ...

    def of_project(self, project: str) -> Sequence[CapsuleApproval]:
        """All of a project, last asked for first."""
        ...

    def waiting_for(self, people: Collection[str], projects: Collection[str]) -> Sequence[CapsuleApproval]:
        """Those that nobody has decided on, and approved, unused ones that one of these people asked for."""
        ...

    def save(self, approval: CapsuleApproval) -> None:
        """Add it, or bring it up to date; its uses are not saved with it."""
        ...

    def use(self, capsule: str, run_id: str, at: datetime) -> None:
        """Record that a run has used the approval. Idempotent."""
        ...

    def was_used_by(self, capsule: str, run_id: str) -> bool:
        """Whether a run has used the approval."""
        ...
