"""`phems coordinator`: federation coordinators, and the tokens they fetch released packages with.

Which projects a coordinator sees stands in node.yaml. Without a token these commands act as `local-operator`:
see `phems.cli.local_operator`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from phems.cli import output
from phems.cli.node import opened

app = typer.Typer(no_args_is_help=True)

_NAME = Annotated[str, typer.Argument(help="The coordinator, as a project's members in node.yaml name it.")]


@app.command("list")
def list_() -> None:
    """List the coordinators, their projects, and whether they have a token."""
    with opened("user.manage") as (node, _):
        rows = node.coordinators.list()
    output.show_rows(
        rows,
        ["name", "projects", "open_tokens", "expires_at"],
        empty="No coordinators: add them in node.yaml under projects.PROJECT.members.coordinator.",
    )


@app.command("token")
def token(
    name: _NAME,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days until it expires.")] = 90,
) -> None:
    """Make a token for a coordinator and print it: the one time it is shown."""
    with opened("user.manage") as (node, actor):
        made = node.coordinators.issue_token(actor, name, lifetime=timedelta(days=days))
    plain = {"token": made.secret, "coordinator": name, "expires_at": made.expires_at}
    output.done(plain, made.secret)


@app.command("revoke")
def revoke(name: _NAME) -> None:
    """End every token of a coordinator."""
    with opened("user.manage") as (node, actor):
        ended = node.coordinators.revoke(actor, name)
    output.done({"coordinator": name, "tokens_ended": ended}, f"Ended {ended} tokens of {name}.")
