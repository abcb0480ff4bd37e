"""`phems user`: the local users of the node, their passwords, API tokens, and the keys they approve with.

Without a token these commands act as `local-operator`: see `phems.cli.local_operator`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, user_access
from phems.cli.node import opened, opened_node
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.cli.ports import NodePort
    from phems.domain.approver_keys import ApproverKey

app = typer.Typer(no_args_is_help=True)

_NAME = Annotated[str, typer.Argument(help="The name that the user signs in with, as in node.yaml.")]
_STDIN = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command("add")
def add(name: _NAME, password_stdin: _STDIN = False) -> None:
    """Add a user. Their roles stand in node.yaml; without a password they can use tokens alone."""
    password = _password() if password_stdin else None
    with opened("user.manage") as (node, actor):
        row = node.users.add(actor, name, password)
    hint = "" if row.roles else " They have no role yet: add them in node.yaml."
    output.done(row, f"Added the user {name}.{hint}")


@app.command("list")
def list_() -> None:
    """List the users and their roles in node.yaml."""
    with opened("user.manage") as (node, _):
        rows = node.users.list()
    columns = ["name", "has_password", "has_second_factor", "email", "roles", "created_by"]
    output.show_rows(rows, columns, empty="No users yet: phems user add NAME")


@app.command("password")
def password(name: _NAME, password_stdin: _STDIN = False) -> None:
    """Set a user's password and end their sessions."""
    if not password_stdin:
        raise InputError(
            "The password is missing.",
            why="it is read from standard input alone, so that no process list shows it.",
            remedy=f"phems user password {name} --password-stdin < FILE",
        )
    new = _password()
    with opened("user.manage") as (node, actor):
        node.users.set_password(actor, name, new)
    output.done({"name": name}, f"Set the password of {name}; their sessions are ended.")


user_access.register(app)


@app.command("key")
def key(
    name: _NAME,
    new: Annotated[
        bool, typer.Option("--new", help="Make a key that the node keeps; it replaces the one before.")
    ] = False,
    register: Annotated[
        Path | None,
        typer.Option(help="Register the public key in this PEM file; its private half stays with the user."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="List the user's keys: what it does without more.")
    ] = False,
    export_public: Annotated[
        bool, typer.Option("--export-public", help="Print the user's public key, PEM.")
    ] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Nothing that the user's key signed counts any more.")
    ] = False,
    key_id: Annotated[
        str | None, typer.Option(help="Another key than the current one, for --revoke.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it is revoked: the audit log is told.")] = "",
) -> None:
    """Show, make, register or revoke the Ed25519 key that a user signs approvals with.

    Who has never had a key gets one at their first approval, kept by the node. Only an operator can change a
    key. With a token of their own, users see their keys, and can register their first: --register FILE
    """
    if sum((new, register is not None, show, export_public, revoke)) > 1:
        raise InputError("Choose one of --new, --register, --show, --export-public and --revoke.")
    with opened_node() as node:
        keys = node.approver_keys
        if register is not None:
            _registered(_register(node, name, register))
        elif new:
            _registered(keys.make(node.acting("user.manage"), name))
        elif revoke:
            actor = node.acting("user.manage")
            gone = keys.revoke(actor, name, key_id, reason=reason)
            output.done(gone, f"Revoked the key {gone.key_id} of {name}: what it signed counts no more.")
        elif export_public:
            node.acting_for(name)
            pem = _public_pem(keys.current(name).public_key)
            output.done({"name": name, "public_key": pem}, pem.rstrip())
        else:
            node.acting_for(name)
            columns = ["key_id", "state", "held_by", "registered_at", "registered_by", "reason"]
            output.show_rows(list(keys.list(name)), columns, empty=f"{name} has no key yet.")


def _register(node: NodePort, name: str, file: Path) -> ApproverKey:
    from phems.adapters.signing import load_public_key

    public_key = load_public_key(file)
    actor = node.acting_for(name, "register a key")
    if actor.name == name:
        return node.approver_keys.register_first(actor, public_key)
    return node.approver_keys.register(actor, name, public_key)


def _registered(key: ApproverKey) -> None:
    keeper = "the node" if key.held_by == "node" else key.person
    output.done(key, f"Registered the key {key.key_id} of {key.person}; {keeper} keeps its private half.")


def _public_pem(public_key: str) -> str:
    from phems.adapters.approver_keys import public_pem

    return public_pem(public_key).decode()


def _password() -> str:
    # The line's end is the shell's, not the password's.
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
