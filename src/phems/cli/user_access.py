"""The commands of `phems user` about what stands for a user: API tokens, and sessions of the gateway.

Without a token these commands act as `local-operator`; with a token of theirs, users see and end their own.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phems.cli import local_operator, output, session
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.bootstrap import Node
    from phems.domain.actors import Actor

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
    from phems.bootstrap import open_node
    from phems.domain.authority import scope_of

    with open_node(session.node_folder()) as node:
        actor = local_operator.acting(node, "user.manage")
        scope = scope_of(project or [], verb or [], read_only=read_only, known=node.spec.projects)
        lifetime = _lifetime(node.clock.now(), days, expires)
        made = node.users.issue_token(actor, name, lifetime=lifetime, label=label, scope=scope)
    # The token alone: export PHEMS_TOKEN=$(phems user token ada)
    output.done({"token": made.secret, "user": name, "expires_at": made.expires_at}, made.secret)


def tokens(name: _NAME) -> None:
    """List a user's tokens that are not ended, with their scope and last use."""
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        _acting(node, name)
        rows: list[dict[str, Any]] = [
            {
                "id": found.id,
                "label": found.label,
                "scope": str(found.scope),
                "projects": None if found.scope.projects is None else sorted(found.scope.projects),
                "verbs": None if found.scope.verbs is None else sorted(found.scope.verbs),
                "created_at": found.created_at,
                "created_by": found.created_by,
                "expires_at": found.expires_at,
                "last_used_at": found.last_used_at,
            }
            for found in node.users.list_tokens(name)
        ]
    columns = ["id", "label", "scope", "expires_at", "last_used_at"]
    output.show_rows(rows, columns, empty=f"{name} has no token: phems user token {name}")


def revoke_token(
    name: _NAME,
    token_id: Annotated[str, typer.Argument(help="The token's id, as phems user tokens shows it.")],
) -> None:
    """End a token: it lets nobody in from now on."""
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        gone = node.users.revoke_token(_acting(node, name, "end tokens"), name, token_id)
    output.done({"id": gone.id, "user": name}, f"Revoked the token {gone.id} of {name}.")


def sessions(name: _NAME) -> None:
    """List where a user is signed in."""
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        _acting(node, name)
        rows: list[dict[str, Any]] = [
            {
                "id": found.id,
                "method": found.method,
                "created_at": found.created_at,
                "last_seen_at": found.last_seen_at,
                "expires_at": found.expires_at,
                "address": found.address,
                "agent": found.agent,
            }
            for found in node.users.list_sessions(name)
        ]
    columns = ["id", "method", "created_at", "last_seen_at", "address", "agent"]
    output.show_rows(rows, columns, empty=f"{name} is not signed in.")


def end_session(
    name: _NAME,
    session_id: Annotated[str, typer.Argument(help="The session's id, as phems user sessions shows it.")],
) -> None:
    """End a session of a user."""
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        node.users.end_session(_acting(node, name, "end sessions"), name, session_id)
    output.done({"id": session_id, "user": name}, f"Ended the session {session_id} of {name}.")


def end_sessions(name: _NAME) -> None:
    """Sign a user out everywhere."""
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        ended = node.users.end_sessions(_acting(node, name, "end sessions"), name)
    output.done({"user": name, "sessions_ended": ended}, f"Ended {ended} sessions of {name}.")


def register(app: typer.Typer) -> None:
    """Add the commands to `phems user`."""
    app.command("token")(token)
    app.command("tokens")(tokens)
    app.command("revoke-token")(revoke_token)
    app.command("sessions")(sessions)
    app.command("end-session")(end_session)
    app.command("end-sessions")(end_sessions)


def _acting(node: Node, name: str, what: str | None = None) -> Actor:
    """Who acts: the user themselves, or who manages users; `what` is said when it changes something."""
    from phems.domain.authority import check_unlimited
    from phems.services.membership import current_authority

    if local_operator.has_token() and (actor := node.actor_from_token(session.token())).name == name:
        if what is not None:
            check_unlimited(current_authority.get(), what)
        return actor
    return local_operator.acting(node, "user.manage")


def _lifetime(now: datetime, days: int | None, expires: datetime | None) -> timedelta:
    if expires is None:
        return timedelta(days=days or DAYS)
    if days is not None:
        raise InputError("Say --days or --expires, not both.")
    return datetime.combine(expires.date() + timedelta(days=1), time(), UTC) - now
