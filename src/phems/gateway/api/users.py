"""Users: adding them, and their passwords. Roles stand in node.yaml."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field, SecretStr

from phems.domain.actors import Actor
from phems.domain.permissions import Role
from phems.gateway.api.asking import Cases, permitted, row
from phems.gateway.api.bodies import Body, Nothing
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit, Page, page
from phems.gateway.api.use_cases import UseCases
from phems.services.ports.users import User

router = APIRouter(prefix="/users", tags=["user"])

Manager = Annotated[Actor, Depends(permitted("user.manage"))]
UserName = Annotated[str, Path(description="The name that the user signs in with.", max_length=127)]


class UserRow(BaseModel):
    """A user, without what is secret."""

    name: str
    has_password: bool
    has_second_factor: bool
    email: str | None = Field(description="Where they are told that they are waited for.")
    created_at: datetime
    created_by: str
    disabled_at: datetime | None = Field(description="Since when nothing lets them in.")
    node_roles: list[Role]
    project_roles: dict[str, list[Role]]


class NewUser(Body):
    """A user to add."""

    name: str = Field(max_length=127, description="Small letters, digits and . _ @ + -")
    password: SecretStr | None = Field(
        default=None, max_length=1024, description="Without one, the user can use tokens alone."
    )


class Password(Body):
    """A password to set."""

    password: SecretStr = Field(max_length=1024)


class Email(Body):
    """Where a user gets mail."""

    email: str | None = Field(max_length=254, description="null: nowhere.")


@router.get("", **row("user.list", "user.manage"))
def list_(
    cases: Cases, _manager: Manager, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[UserRow]:
    """List the users and their roles, by name."""
    rows = [_row(cases, user) for user in cases.users.list_users()]
    return page(rows, lambda found: (found.name,), cursor, limit, descending=False)


@router.post("", **row("user.add", "user.manage", status_code=201))
def add(cases: Cases, manager: Manager, body: NewUser) -> UserRow:
    """Add a user. What they may do stands in node.yaml."""
    return _row(cases, cases.users.add_user(manager, body.name, _said(body.password)))


@router.post("/{name}/password", **row("user.password", "user.manage", status_code=204))
def password(cases: Cases, manager: Manager, name: UserName, body: Password) -> None:
    """Set a user's password and end their sessions."""
    cases.users.set_password(manager, name, body.password.get_secret_value())


@router.post("/{name}/email", **row("user.email", "user.manage", status_code=204))
def email(cases: Cases, manager: Manager, name: UserName, body: Email) -> None:
    """Set where a user is told that they are waited for."""
    cases.users.set_email(manager, name, body.email)


@router.post("/{name}/disable", **row("user.disable", "user.manage", status_code=204))
def disable(cases: Cases, manager: Manager, name: UserName, _body: Nothing) -> None:
    """Shut a user out: neither password, token nor session lets them in."""
    cases.users.disable_user(manager, name)


@router.post("/{name}/enable", **row("user.enable", "user.manage", status_code=204))
def enable(cases: Cases, manager: Manager, name: UserName, _body: Nothing) -> None:
    """Let a user in again; their sessions stay ended."""
    cases.users.enable_user(manager, name)


def _said(password: SecretStr | None) -> str | None:
    return password.get_secret_value() if password is not None else None


def _row(cases: UseCases, user: User) -> UserRow:
    node_wide = cases.roles_in(user.name)
    inside = {name: cases.roles_in(user.name, name) - node_wide for name in cases.spec.projects}
    return UserRow(
        name=user.name,
        has_password=user.password_hash is not None,
        has_second_factor=user.has_second_factor,
        email=user.email,
        created_at=user.created_at,
        created_by=user.created_by,
        disabled_at=user.disabled_at,
        node_roles=sorted(node_wide),
        project_roles={name: sorted(roles) for name, roles in inside.items() if roles},
    )
