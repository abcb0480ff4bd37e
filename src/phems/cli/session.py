"""What every command has: which node, who acts, and whether to speak JSON.

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

import typer

from phems.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from phems.nodespec import NodePaths, NodeSpec

FILE_NAME = "node.yaml"


@dataclass(frozen=True, slots=True)
class Session:
    """The shared options as given on the line; unset ones are `None`."""

    node: Path | None = None
    json: bool = False
    token: str | None = None


_SESSION: ContextVar[Session] = ContextVar("session", default=Session())  # noqa: B039 (it is frozen)


def begin() -> None:
    """Forget the options of an earlier command in this process."""
    _SESSION.set(Session())


def current() -> Session:
    """The options of the command that runs."""
    return _SESSION.get()


def node_folder() -> Path:
    """The node's folder: --node, else PHEMS_NODE, else the nearest folder upwards with a node.yaml."""
    given = current().node or (Path(os.environ["PHEMS_NODE"]) if os.environ.get("PHEMS_NODE") else None)
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
    from phems import nodespec

    folder = node_folder()
    spec = nodespec.load_node(folder)
    return spec, nodespec.node_paths(spec, folder)


def token() -> str:
    """The token of who acts: --token, else PHEMS_TOKEN; InputError when there is none."""
    found = current().token or os.environ.get("PHEMS_TOKEN")
    if not found:
        raise InputError(
            "Who acts is not known.",
            why="This command needs a user's token, and neither --token nor PHEMS_TOKEN is set.",
            remedy="export PHEMS_TOKEN=... (an operator makes one: phems user token NAME)",
        )
    return found


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
        given: Any = {name: Path(value) if name == "node" else value}
        _SESSION.set(replace(current(), **given))
    return value


_NAMES = frozenset(Session.__slots__)
_OPTIONS = typer.Typer(add_completion=False)


@_OPTIONS.command()
def _declare(
    node: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The node's folder. Default: PHEMS_NODE, or the nearest folder upwards with a node.yaml.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, errors too.")] = False,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help="Who acts. Default: PHEMS_TOKEN, which no process list shows.",
        ),
    ] = None,
) -> None: ...
