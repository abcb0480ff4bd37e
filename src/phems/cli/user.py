"""`phems user`: the local users of the node, their passwords and API tokens.

Without a token these commands act as `local-operator`: see `phems.cli.local_operator`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import local_operator, output, session
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.nodespec import NodeSpec
    from phems.services.ports.users import User

app = typer.Typer(no_args_is_help=True)

_NAME = Annotated[str, typer.Argument(help="The name that the user signs in with, as in node.yaml.")]
_STDIN = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@dataclass(frozen=True, slots=True)
class UserRow:
    """One user, without what is secret."""

    name: str
    has_password: bool
    created_at: str
    created_by: str
    roles: tuple[str, ...]


@app.command("add")
def add(name: _NAME, password_stdin: _STDIN = False) -> None:
    """Add a user. Their roles stand in node.yaml; without a password they can use tokens alone."""
    from phems.bootstrap import open_node

    password = _password() if password_stdin else None
    with open_node(session.node_folder()) as node:
        user = node.users.add_user(local_operator.acting(node, "user.manage"), name, password)
        row = _row(user, _roles(node.spec, name))
    hint = "" if row.roles else " They have no role yet: add them in node.yaml."
    output.done(row, f"Added the user {name}.{hint}")


@app.command("list")
def list_() -> None:
    """List the users and their roles in node.yaml."""
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        local_operator.acting(node, "user.manage")
        rows = [_row(user, _roles(node.spec, user.name)) for user in node.users.list_users()]
    columns = ["name", "has_password", "roles", "created_by"]
    output.show_rows(rows, columns, empty="No users yet: phems user add NAME")


@app.command("password")
def password(name: _NAME, password_stdin: _STDIN = False) -> None:
    """Set a user's password and end their sessions."""
    from phems.bootstrap import open_node

    if not password_stdin:
        raise InputError(
            "The password is missing.",
            why="it is read from standard input alone, so that no process list shows it.",
            remedy=f"phems user password {name} --password-stdin < FILE",
        )
    new = _password()
    with open_node(session.node_folder()) as node:
        node.users.set_password(local_operator.acting(node, "user.manage"), name, new)
    output.done({"name": name}, f"Set the password of {name}; their sessions are ended.")


@app.command("token")
def token(
    name: _NAME,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it expires.")] = 90,
) -> None:
    """Make an API token for a user and print it: the one time it is shown."""
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        actor = local_operator.acting(node, "user.manage")
        made = node.users.issue_token(actor, name, lifetime=timedelta(days=days))
    # The token alone: export PHEMS_TOKEN=$(phems user token ada)
    output.done({"token": made.secret, "user": name, "expires_at": made.expires_at}, made.secret)


def _password() -> str:
    # The line's end is the shell's, not the password's.
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")


def _row(user: User, roles: tuple[str, ...]) -> UserRow:
    return UserRow(
        name=user.name,
        has_password=user.password_hash is not None,
        created_at=user.created_at.isoformat(),
        created_by=user.created_by,
        roles=roles,
    )


def _roles(spec: NodeSpec, name: str) -> tuple[str, ...]:
    """The roles of a name in node.yaml, a project's as `role@project`."""
    node_wide = [role for role, names in spec.roles if name in names]
    projects = spec.projects.items()
    return (
        *node_wide,
        *(
            f"{role}@{title}"
            for title, project in projects
            for role, names in project.members
            if name in names
        ),
    )
