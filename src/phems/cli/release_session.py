"""What the `phems release` commands share: the use cases and who acts, how files are named, what is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, session
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.domain.actors import Actor
    from phems.domain.release_views import ReleaseView
    from phems.services.releases import Releases

Id = Annotated[str, typer.Argument(metavar="REQUEST", help="The release request, such as rr-abcdefgh.")]


@contextmanager
def opened() -> Iterator[tuple[Releases, Actor]]:
    """The use cases of release requests, and who acts."""
    from phems.bootstrap import open_node

    token = session.token()
    with open_node(session.node_folder()) as node:
        yield node.releases, node.actor_from_token(token)


def done(view: ReleaseView, text: str) -> None:
    """What an act did: a sentence for people, the request for programs."""
    from phems.services.release_summaries import summary_of

    output.done(summary_of(view), text)


def path_of(view: ReleaseView, name: str) -> str:
    """The path of a file that a person names by its name or path; `InputError` unless it is one file."""
    from phems.domain.outputs import name_of

    every = [file.path for file in view.request.files]
    found = [path for path in every if name in (path, name_of(path))]
    if len(found) != 1:
        raise InputError(
            f"{view.request.id} has {'several files' if found else 'no file'} {name!r}.",
            why=f"its files are: {', '.join(every)}.",
            remedy=f"Name one by its path: phems release show {view.request.id}",
        )
    return found[0]
