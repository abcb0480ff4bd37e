"""Policy versions: what the node and its projects are held to, and the second person for what loosens a rule.

A scope is a project, or the node as a whole, which is called `-`: no project has that name.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from phems.domain.actors import Actor
from phems.domain.policy_versions import NODE_SCOPE, PolicyRecord, PolicyState
from phems.gateway.api.asking import Cases, Person, permitted, row
from phems.gateway.api.bodies import Body, Nothing, Reason
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit, Page, page
from phems.gateway.node_scope import NODE
from phems.nodespec import load_node

router = APIRouter(prefix="/policies", tags=["policy"])

Scope = Annotated[str, Path(description="A project, or `-` for the node as a whole.", max_length=63)]
Proposer = Annotated[Actor, Depends(permitted("policy.propose"))]
Number = Annotated[int, Path(ge=1, le=1_000_000, description="The number of the version in its scope.")]


class PolicyRow(BaseModel):
    """A policy version, and what became of it."""

    scope: str = Field(description="A project, or `-` for the node as a whole.")
    number: int
    digest: str
    state: PolicyState
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str


class PolicyDetails(PolicyRow):
    """A policy version with its rules."""

    content: dict[str, Any]


class PolicyChange(BaseModel):
    """One rule that differs; what is absent is null."""

    field: str
    before: Any
    after: Any
    loosens: bool = Field(description="Whether this alone needs a second person.")


class PolicyDifference(BaseModel):
    """What a version changes."""

    scope: str
    before: int
    after: int
    changes: list[PolicyChange]


class WaitingVersion(BaseModel):
    """A version that is declared in node.yaml, and not in force."""

    scope: str
    number: int
    loosens: list[PolicyChange]
    says: str = Field(description="The same for people, with what to do.")


class PoliciesRead(BaseModel):
    """What reading node.yaml again came to."""

    in_force: dict[str, str] = Field(description="The labels of the versions in force, by scope.")
    waiting: list[WaitingVersion] = Field(description="What a second person has to confirm.")


class PolicyRejection(Body):
    """A rejection."""

    reason: Reason


@router.get("/{scope}", **row("policy.list", "policy.list"))
def list_(
    cases: Cases, person: Person, scope: Scope, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[PolicyRow]:
    """List all versions of a scope, newest first."""
    rows = [PolicyRow(**_fields(record)) for record in cases.policies.list(person, _named(scope))]
    return page(rows, lambda found: (found.number,), cursor, limit)


@router.get("/{scope}/{number}", **row("policy.show", "policy.list"))
def show(cases: Cases, person: Person, scope: Scope, number: Number) -> PolicyDetails:
    """Show a version with its rules."""
    record = cases.policies.show(person, _named(scope), number)
    return PolicyDetails(**_fields(record), content=dict(record.version.content))


@router.get("/{scope}/{number}/diff", **row("policy.diff", "policy.list"))
def diff(cases: Cases, person: Person, scope: Scope, number: Number) -> PolicyDifference:
    """What a version changes: a pending one in what is in force, any other in the one before."""
    found = cases.policies.diff(person, _named(scope), number).as_json()
    return PolicyDifference.model_validate({**found, "scope": scope})


@router.post("/{scope}/{number}/approve", **row("policy.approve", "policy.approve"))
def approve(cases: Cases, person: Person, scope: Scope, number: Number, _body: Nothing) -> PolicyRow:
    """Confirm a version that loosens a rule, as the second person: it is in force from now on."""
    return PolicyRow(**_fields(cases.policies.approve(person, _named(scope), number)))


@router.post("/{scope}/{number}/reject", **row("policy.reject", "policy.reject"))
def reject(cases: Cases, person: Person, scope: Scope, number: Number, body: PolicyRejection) -> PolicyRow:
    """Refuse a version: the one in force stays."""
    return PolicyRow(**_fields(cases.policies.reject(person, _named(scope), number, reason=body.reason)))


@router.post("/reload", **row("policy.reload", "policy.propose"))
def reload(cases: Cases, proposer: Proposer, _body: Nothing) -> PoliciesRead:
    """Read node.yaml again: what loosens nothing is in force at once, the rest waits for a second person."""
    waiting = cases.take_up(proposer, load_node(cases.paths.folder), ask_again=True)
    return PoliciesRead(
        in_force={scope or NODE: label for scope, label in cases.policy_versions.items()},
        waiting=[
            WaitingVersion(
                scope=found.scope or NODE,
                number=found.number,
                loosens=[PolicyChange.model_validate(change.as_json()) for change in found.loosens],
                says=found.as_text(),
            )
            for found in waiting
        ],
    )


def _named(scope: str) -> str:
    return NODE_SCOPE if scope == NODE else scope


def _fields(record: PolicyRecord) -> dict[str, Any]:
    return {
        "scope": record.scope or NODE,
        "number": record.version.number,
        "digest": record.version.digest,
        "state": record.state,
        "proposed_by": record.proposed_by,
        "proposed_at": record.proposed_at,
        "decided_by": record.decided_by,
        "decided_at": record.decided_at,
        "reason": record.reason,
    }
