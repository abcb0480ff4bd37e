"""`phems release`: ask that outputs leave the node, review requests, fetch what was released."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, release_check, release_request, release_show, release_verify, release_votes
from phems.cli.release_session import Id, done, opened, path_of

if TYPE_CHECKING:
    from phems.cli.ports import ReleasePort
    from phems.domain.actors import Actor
    from phems.services.release_summaries import ReleaseSummary

app = typer.Typer(no_args_is_help=True)
app.command("check")(release_check.check)
release_request.register(app)
release_show.register(app)
release_votes.register(app)

Reason = Annotated[str, typer.Option(help="Why: the author is told.")]
OptionalReason = Annotated[str, typer.Option(help="Why; kept with the request.")]


@app.command("comment")
def comment(
    id_: Id,
    text: Annotated[str, typer.Argument(help="What you have to say.")],
    private: Annotated[bool, typer.Option("--private", help="For the checkers alone.")] = False,
    group: Annotated[str | None, typer.Option(metavar="NAME", help="It is about this file group.")] = None,
) -> None:
    """Say something about a release request, or about one of its file groups."""
    with opened() as (releases, actor):
        view = releases.comment(actor, id_, text, private=private, group=group)
    done(view, f"Commented on {id_}.")


@app.command("approve")
def approve_(id_: Id, reason: OptionalReason = "") -> None:
    """Let the approved files of a reviewed request go, without the others."""
    _decide(lambda releases, actor: releases.approve(actor, id_, reason=reason))


@app.command("reject")
def reject(id_: Id, reason: Reason) -> None:
    """Refuse a reviewed request, for good."""
    _decide(lambda releases, actor: releases.reject(actor, id_, reason=reason))


@app.command("return")
def return_(id_: Id, reason: Reason) -> None:
    """Give a request back to its author for changes; they may ask again in a new turn."""
    _decide(lambda releases, actor: releases.return_(actor, id_, reason=reason))


@app.command("withdraw")
def withdraw(
    id_: Id,
    reason: OptionalReason = "",
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="Take this file out, and leave the request.")
    ] = None,
) -> None:
    """Take your own request back, until it is released; or a file out of it, until it is decided."""
    if file is None:
        _decide(lambda releases, actor: releases.withdraw(actor, id_, reason=reason))
        return
    with opened() as (releases, actor):
        path = path_of(releases.show(actor, id_), file)
        view = releases.withdraw_file(actor, id_, path)
    done(view, f"Took {file} out of {id_}. It is {view.state}.")


@app.command("revoke")
def revoke(
    id_: Id, reason: Annotated[str, typer.Option(help="Why: the package and the audit log are told.")]
) -> None:
    """Take an approval or a release back; a notice joins the package."""
    _decide(lambda releases, actor: releases.revoke(actor, id_, reason=reason))


@app.command("download")
def download(
    id_: Id,
    out: Annotated[Path, typer.Option(help="The folder to put it into, as OUT/REQUEST.")] = Path(),
) -> None:
    """Copy a released package, verified against its manifest."""
    with opened() as (releases, actor):
        place = releases.download(actor, id_, out.absolute())
    output.done({"id": id_, "package": place}, f"The package lies in {place}")


release_verify.register(app)


def _decide(act: Callable[[ReleasePort, Actor], ReleaseSummary]) -> None:
    with opened() as (releases, actor):
        view = act(releases, actor)
    done(view, f"{view.id} is {view.state}.")
