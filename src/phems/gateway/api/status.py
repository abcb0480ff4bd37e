"""How the node is, for operators: the same account as their page on its health."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from phems.domain.actors import Actor
from phems.gateway.api.asking import Cases, permitted, row
from phems.services.node_health import Health

router = APIRouter(prefix="/status", tags=["node"])

Operator = Annotated[Actor, Depends(permitted("node.operate"))]


@router.get("", **row("node.status", "node.operate"))
def show(cases: Cases, _operator: Operator) -> Health:
    """Show what runs, what waits, how much room there is, and what an operator should look at."""
    return cases.health.now()
