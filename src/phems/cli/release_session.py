"""What the `phems release` commands share: the use cases and who acts, how files are named, what is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output
from phems.cli.node import opened as opened_node
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.cli.ports import ReleasePort
    from phems.domain.actors import Actor
    from phems.services.release_summaries import ReleaseSummary

Id = Annotated[str, typer.Argument(metavar="REQUEST", help="The release request, such as rr-abcdefgh.")]


@contextmanager
def opened() -> Iterator[tuple[ReleasePort, Actor]]:
    """The use cases of release requests, and who acts."""
    with opened_node() as (node, actor):
        yield node.releases, actor


def done(request: ReleaseSummary, text: str) -> None:
    """What an act did: a sentence for people, the request for programs."""
    output.done(request, text)


def path_of(request: ReleaseSummary, name: str) -> str:
    """The path of a file that a person names by its name or path; `InputError` unless it is one file."""
    from phems.domain.outputs import name_of

    every = [file.path for file in request.files]
    found = [path for path in every if name in (path, name_of(path))]
    if len(found) != 1:
        raise InputError(
            f"{request.id} has {'several files' if found else 'no file'} {name!r}.",
            why=f"its files are: {', '.join(every)}.",
            remedy=f"Name one by its path: phems release show {request.id}",
        )
    return found[0]
