"""The commands of `phems user` about what stands for a user: API tokens, and sessions of the gateway.

Without a token these commands act as `local-operator`; with a token of theirs, users see and end their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from phems.cli import output
from phems.cli.node import opened, opened_node
from phems.cli.user_ports import TokenWish
from phems.errors import InputError

DAYS = 90

_NAME = Annotated[str, typer.Argument(help="The name that the user signs in with, as in node.yaml.")]


def token(
    name: _NAME,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help=f"Days until it expires; {DAYS} when nothing is said.")
    ] = None,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day on which it is good (UTC).")
    ] = None,
    project: Annotated[
        list[str] | None,
        typer.Option(help="A project that it is for, and no other; more than one can be said."),
    ] = None,
    verb: Annotated[
        list[str] | None,
        typer.Option(help="What it is for, as the page on permissions names it, and nothing else."),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It can change nothing.")] = False,
    label: Annotated[str, typer.Option(help="What it is for, in words.")] = "",
) -> None:
    """Make an API token for a user and print it: the one time it is shown."""
    if days is not None and expires is not None:
        raise InputError("Say --days or --expires, not both.")
    wish = TokenWish(
        days=days,
        last_day=expires,
        label=label,
        projects=project or (),
        verbs=verb or (),
        read_only=read_only,
    )
    with opened("user.manage") as (node, actor):
        made = node.users.issue_token(actor, name, wish)
    # The token alone: export PHEMS_TOKEN=$(phems user token ada)
    output.done({"token": made.secret, "user": name, "expires_at": made.expires_at}, made.secret)


def tokens(name: _NAME) -> None:
    """List a user's tokens that are not ended, with their scope and last use."""
    with opened_node() as node:
        node.acting_for(name)
        rows = node.users.tokens(name)
    columns = ["id", "label", "scope", "expires_at", "last_used_at"]
    output.show_rows(rows, columns, empty=f"{name} has no token: phems user token {name}")


def revoke_token(
    name: _NAME,
    token_id: Annotated[str, typer.Argument(help="The token's id, as phems user tokens shows it.")],
) -> None:
    """End a token: it lets nobody in from now on."""
    with opened_node() as node:
        gone = node.users.revoke_token(node.acting_for(name, "end tokens"), name, token_id)
    output.done({"id": gone, "user": name}, f"Revoked the token {gone} of {name}.")


def sessions(name: _NAME) -> None:
    """List where a user is signed in."""
    with opened_node() as node:
        node.acting_for(name)
        rows = node.users.sessions(name)
    columns = ["id", "method", "created_at", "last_seen_at", "address", "agent"]
    output.show_rows(rows, columns, empty=f"{name} is not signed in.")


def end_session(
    name: _NAME,
    session_id: Annotated[str, typer.Argument(help="The session's id, as phems user sessions shows it.")],
) -> None:
    """End a session of a user."""
    with opened_node() as node:
        node.users.end_session(node.acting_for(name, "end sessions"), name, session_id)
    output.done({"id": session_id, "user": name}, f"Ended the session {session_id} of {name}.")


def end_sessions(name: _NAME) -> None:
    """Sign a user out everywhere."""
    with opened_node() as node:
        ended = node.users.end_sessions(node.acting_for(name, "end sessions"), name)
    output.done({"user": name, "sessions_ended": ended}, f"Ended {ended} sessions of {name}.")


def reset_second_factor(name: _NAME) -> None:
    """Take a user's second factor away, for they have lost it. Their sessions end."""
    with opened("user.manage") as (node, actor):
        node.users.reset_second_factor(actor, name)
    output.done({"name": name}, f"Took the second factor of {name} away; their sessions are ended.")


def link(
    name: _NAME,
    subject: Annotated[str, typer.Argument(help="Who they are at the identity provider: its sub claim.")],
) -> None:
    """Have a user sign in at the identity provider from now on. Their password goes, their sessions end."""
    with opened("user.manage") as (node, actor):
        linked = node.users.link(actor, name, subject)
    output.done(linked, f"{linked.name} signs in at {linked.issuer} from now on.")


def email(
    name: _NAME,
    address: Annotated[str | None, typer.Argument(help="Left out: they get no mail.")] = None,
) -> None:
    """Set where a user is told by mail that they are waited for: see notifications in node.yaml."""
    with opened("user.manage") as (node, actor):
        node.users.set_email(actor, name, address)
    where = f"goes to {address}" if address is not None else "goes nowhere"
    output.done({"name": name, "email": address}, f"Mail for {name} {where}.")


def register(app: typer.Typer) -> None:
    """Add the commands to `phems user`."""
    app.command("token")(token)
    app.command("tokens")(tokens)
    app.command("revoke-token")(revoke_token)
    app.command("sessions")(sessions)
    app.command("end-session")(end_session)
    app.command("end-sessions")(end_sessions)
    app.command("reset-second-factor")(reset_second_factor)
    app.command("link")(link)
    app.command("email")(email)
