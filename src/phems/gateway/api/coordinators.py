"""Federation coordinators, as operators manage them: see `releases` for what coordinators themselves ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from phems.domain.actors import Actor
from phems.gateway.api.asking import Cases, permitted, row
from phems.gateway.api.bodies import Body, Nothing
from phems.services.coordinators import CoordinatorSummary

router = APIRouter(prefix="/coordinators", tags=["coordinator"])

Manager = Annotated[Actor, Depends(permitted("user.manage"))]
CoordinatorName = Annotated[str, Path(description="The coordinator, as node.yaml names it.", max_length=63)]


class CoordinatorWish(Body):
    """A token to make."""

    days: int = Field(default=90, ge=1, le=366, description="Days until it expires.")


class CoordinatorToken(BaseModel):
    """A token just made: the one time it is shown."""

    token: str
    coordinator: str
    expires_at: datetime


class Ended(BaseModel):
    """What a revocation came to."""

    coordinator: str
    tokens_ended: int


@router.get("", **row("coordinator.list", "user.manage"))
def list_(cases: Cases, _manager: Manager) -> list[CoordinatorSummary]:
    """List the coordinators, their projects, and whether they have a token."""
    return list(cases.coordinators.list())


@router.post(
    "/{coordinator}/tokens", **row("coordinator.token", "user.manage", gives_secret=True, status_code=201)
)
def token(
    cases: Cases, manager: Manager, coordinator: CoordinatorName, body: CoordinatorWish
) -> CoordinatorToken:
    """Make a token for a coordinator that node.yaml names."""
    made = cases.coordinators.issue_token(manager, coordinator, lifetime=timedelta(days=body.days))
    return CoordinatorToken(token=made.secret, coordinator=coordinator, expires_at=made.expires_at)


@router.post("/{coordinator}/revoke", **row("coordinator.revoke", "user.manage"))
def revoke(cases: Cases, manager: Manager, coordinator: CoordinatorName, _body: Nothing) -> Ended:
    """End every token of a coordinator."""
    return Ended(coordinator=coordinator, tokens_ended=cases.coordinators.revoke(manager, coordinator))
