"""Run capsules: what a run is, in full, and the approvals of them where a project's policy asks for those."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from phems.domain.capsule_approvals import MOST_TIMES, CapsuleApproval
from phems.gateway.api.asking import Cases, Person, Project, row
from phems.gateway.api.bodies import Body, Reason
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit, Page, page

router = APIRouter(prefix="/projects/{project}/capsules", tags=["capsule"])

Capsule = Annotated[
    str,
    Path(
        description="The capsule, or a run that has it: enough of the first characters.",
        pattern="^[0-9a-f-]{4,64}$",
    ),
]


class CapsuleDetails(BaseModel):
    """What would run, in full, and what was decided on it."""

    capsule: str
    project: str
    commit: str | None
    document: dict[str, Any] = Field(description="What the capsule's digest is taken of (RFC 8785).")
    approval: CapsuleApproval | None = Field(description="Null when nobody had to decide.")


class CapsuleGrant(Body):
    """An approval."""

    times: int = Field(default=1, ge=1, le=MOST_TIMES, description="For how many more runs.")
    days: int | None = Field(default=None, ge=1, le=3650, description="For how many days; null: no end.")


class CapsuleDecision(Body):
    """A decision, with its reason."""

    reason: Reason


@router.get("", **row("capsule.list", "capsule.list"))
def list_(
    cases: Cases, person: Person, project: Project, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[CapsuleApproval]:
    """List the capsules that somebody had, or has, to decide on; the last asked for first."""
    found = cases.capsules.list(person, project)
    return page(found, lambda each: (each.asked_at.isoformat(), each.capsule), cursor, limit)


@router.get("/{capsule}", **row("capsule.show", "capsule.list"))
def show(cases: Cases, person: Person, project: Project, capsule: Capsule) -> CapsuleDetails:
    """Show one capsule in full."""
    return CapsuleDetails.model_validate(cases.capsules.show(person, project, capsule), from_attributes=True)


@router.post("/{capsule}/approve", **row("capsule.approve", "capsule.approve"))
def approve(
    cases: Cases, person: Person, project: Project, capsule: Capsule, body: CapsuleGrant
) -> CapsuleApproval:
    """Let a capsule run, a number of times, and until a day if one is given."""
    return cases.capsules.approve(person, project, capsule, times=body.times, days=body.days)


@router.post("/{capsule}/reject", **row("capsule.reject", "capsule.reject"))
def reject(
    cases: Cases, person: Person, project: Project, capsule: Capsule, body: CapsuleDecision
) -> CapsuleApproval:
    """Refuse a capsule that somebody asked for."""
    return cases.capsules.reject(person, project, capsule, reason=body.reason)


@router.post("/{capsule}/revoke", **row("capsule.revoke", "capsule.revoke"))
def revoke(
    cases: Cases, person: Person, project: Project, capsule: Capsule, body: CapsuleDecision
) -> CapsuleApproval:
    """Take an approval back, for good: no run with this capsule starts or goes on."""
    return cases.capsules.revoke(person, project, capsule, reason=body.reason)
