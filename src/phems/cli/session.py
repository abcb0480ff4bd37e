"""What every command has: which node (a folder or an address), who acts, and whether to speak JSON.

The three options are taken anywhere on the line (`phems --json code list`, `phems code list --json`)
and kept here for the one command that runs; nothing has to be handed down.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from phems.cli.interrupts import ending_at_once
from phems.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from phems.nodespec import NodePaths, NodeSpec

FILE_NAME = "node.yaml"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Session:
    """The shared options as given on the line; unset ones are `None`."""

    node: str | None = None
    json: bool = False
    token: str | None = None


_SESSION: ContextVar[Session] = ContextVar("session", default=Session())  # noqa: B039 (it is frozen)


def begin() -> None:
    """Forget the options of an earlier command in this process."""
    _SESSION.set(Session())


def current() -> Session:
    """The options of the command that runs."""
    return _SESSION.get()


def node_url() -> str | None:
    """The address of the node, when --node or PHEMS_NODE is one: then the command goes to its API."""
    given = _named_node()
    return checked_url(given) if given and is_url(given) else None


def is_url(text: str) -> bool:
    """Whether what names a node is an address, and not a folder."""
    return "://" in text


def checked_url(text: str) -> str:
    """An address that a token may be sent to, without what does not belong to it; InputError otherwise."""
    parts = urlsplit(text)
    try:
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or parts.username is not None or parts.query or parts.fragment:
        raise InputError(
            f"{text} is not the address of a node.",
            why="an address is https://HOST or https://HOST:PORT, without a name, a password or a query.",
            remedy="phems --node https://node.hospital.example",
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise InputError(
            f"A token is not sent to {text}.",
            why="over plain http, everybody on the way could read it and act with it.",
            remedy=f"phems --node https://{parts.netloc}",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def node_folder() -> Path:
    """The node's folder: --node, else PHEMS_NODE, else the nearest folder upwards with a node.yaml."""
    named = _named_node()
    if named and is_url(named):
        raise InputError(
            "This command works on the folder of a node.",
            why=f"{named} is an address, and the folder is on the node's own machine.",
            remedy="Type it there, or name a folder: phems --node DIR",
        )
    given = Path(named) if named else None
    if given is not None:
        folder = given.parent if given.name == FILE_NAME else given
        if not (folder / FILE_NAME).is_file():
            raise NotFoundError(
                f"There is no node in {folder}.",
                why=f"It has no {FILE_NAME}.",
                remedy=f"phems init {folder}, or name another folder with --node",
            )
        return folder.absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise NotFoundError(
        "There is no node here.",
        why=f"Neither {here} nor a folder above it has a {FILE_NAME}.",
        remedy="phems init DIR writes one; phems --node DIR (or PHEMS_NODE=DIR) names one",
    )


def load_node() -> tuple[NodeSpec, NodePaths]:
    """The node spec and the paths of the node that the command works on."""
    with ending_at_once():
        from phems import nodespec

        folder = node_folder()
        spec = nodespec.load_node(folder)
        return spec, nodespec.node_paths(spec, folder)


def has_token() -> bool:
    """Whether somebody acts by a token."""
    return bool(_token())


def token() -> str:
    """The token of who acts: --token, else PHEMS_TOKEN, else that of `phems login` at the node's address."""
    found = _token()
    if not found and (url := node_url()) is not None:
        raise InputError(
            f"You are not signed in at {url}.",
            why="there is neither --token nor PHEMS_TOKEN, nor a token that `phems login` has kept.",
            remedy=f"phems login {url}",
        )
    if not found:
        raise InputError(
            "Who acts is not known.",
            why="This command needs a user's token, and neither --token nor PHEMS_TOKEN is set.",
            remedy="export PHEMS_TOKEN=... (an operator makes one: phems user token NAME)",
        )
    return found


def _named_node() -> str | None:
    return current().node or os.environ.get("PHEMS_NODE") or None


def _token() -> str | None:
    found = current().token or os.environ.get("PHEMS_TOKEN")
    if not found and (url := node_url()) is not None:
        from phems.cli.sign_ins import kept_token

        found = kept_token(url)
    return found or None


def shared_options() -> list[Any]:
    """Fresh copies of the shared options, for one command."""
    declared: list[Any] = list(typer.main.get_command(_OPTIONS).params)
    options = [option for option in declared if option.name in _NAMES]
    for option in options:
        option.expose_value = False
        # In the place of typer's own conversion, which imports pydantic: help and completion stay fast.
        option.process_value = partial(_keep, option.name)
    return options


def _keep(name: str, ctx: Any, value: Any) -> Any:
    # Every level of the line declares the options; a level where one was not given must not unset it.
    if value and not ctx.resilient_parsing:
        given: Any = {name: value}
        _SESSION.set(replace(current(), **given))
    return value


_NAMES = frozenset(Session.__slots__)
_OPTIONS = typer.Typer(add_completion=False)


@_OPTIONS.command()
def _declare(
    node: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|URL",
            help="The node's folder or address. Default: PHEMS_NODE, or the nearest folder upwards with a "
            "node.yaml.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, errors too.")] = False,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help="Who acts. Default: PHEMS_TOKEN, which no process list shows, or that of phems login.",
        ),
    ] = None,
) -> None: ...
