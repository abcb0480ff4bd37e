"""Who asks, and with which roles."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from phems.domain.permissions import Role
from phems.gateway.api.asking import SIGNED_IN, Cases, Person, row
from phems.services.my_work import MyWork

router = APIRouter(tags=["me"])


class Me(BaseModel):
    """A signed-in person."""

    name: str
    node_roles: list[Role] = Field(description="Roles on the node as a whole.")
    project_roles: dict[str, list[Role]] = Field(description="Roles in each project, by its name.")


@router.get("/me", **row("me.show", SIGNED_IN))
def show(cases: Cases, person: Person) -> Me:
    """Who you are to this node."""
    node_wide = cases.roles_in(person.name)
    inside = {name: cases.roles_in(person.name, name) - node_wide for name in cases.spec.projects}
    return Me(
        name=person.name,
        node_roles=sorted(node_wide),
        project_roles={name: sorted(roles) for name, roles in inside.items() if roles},
    )


@router.get("/me/waiting", **row("me.waiting", SIGNED_IN))
def waiting(cases: Cases, person: Person) -> MyWork:
    """What waits for you, what of your own is on its way, and your runs that failed in the last 7 days."""
    return cases.my_work.of(person)
