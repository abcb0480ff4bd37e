"""`phems release`: ask that outputs leave the node, review requests, fetch what was released."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, release_check, session
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.domain.actors import Actor
    from phems.domain.release_views import ReleaseView
    from phems.domain.votes import Vote
    from phems.services.releases import Releases

app = typer.Typer(no_args_is_help=True)
app.command("check")(release_check.check)

_COLUMNS = ["id", "project", "state", "phase", "requester", "requested_at", "context"]
_FIELDS = [
    *("id", "project", "state", "phase", "turn", "requester", "requested_at", "context", "controls"),
    *(
        "policy",
        "votes_needed",
        "runs",
        "decided_by",
        "decided_at",
        "reason",
        "released_at",
        "package_digest",
    ),
]
_FILE_COLUMNS = ["name", "size", "decision", "votes", "sha256", "path"]
_COMMENT_COLUMNS = ["by", "at", "visibility", "text"]

Id = Annotated[str, typer.Argument(metavar="REQUEST", help="The release request, such as rr-abcdefgh.")]
Reason = Annotated[str, typer.Option(help="Why: the author and the audit log are told.")]
OptionalReason = Annotated[str, typer.Option(help="Why, for the audit log.")]
Files = Annotated[
    list[str] | None, typer.Option("--file", "-f", help="A file by name; may be given several times.")
]


@contextmanager
def _releases() -> Iterator[tuple[Releases, Actor]]:
    from phems.bootstrap import open_node

    token = session.token()
    with open_node(session.node_folder()) as node:
        yield node.releases, node.actor_from_token(token)


@app.command("request")
def request(
    context: Annotated[str, typer.Option(help="What the files are, for the checkers.")],
    controls: Annotated[str, typer.Option(help="How disclosure of single patients was avoided.")],
    project: Annotated[str | None, typer.Option("--project", "-p", help="The project.")] = None,
    run: Annotated[str | None, typer.Option(help="The run whose outputs are asked for.")] = None,
    file: Files = None,
    again: Annotated[
        str | None, typer.Option(metavar="REQUEST", help="A returned request, to submit again.")
    ] = None,
) -> None:
    """Ask that outputs of a run leave the node: all of them, or those named with --file."""
    from phems.services.release_files import Choice
    from phems.services.releases import Case

    if (project is None) == (again is None):
        raise InputError(
            "Say either --project or --again.",
            why="a new request belongs to a project; one that was returned has its project already.",
            remedy="phems release request --help",
        )
    choice, case = Choice(run, tuple(file or ())), Case(context, controls)
    with _releases() as (releases, actor):
        if again is not None:
            view = releases.resubmit(actor, again, choice, case)
        else:
            view = releases.request(actor, project or "", choice, case)
    name = view.request.id
    _done(view, f"Requested {name}, {len(view.request.files)} files. To review: phems release show {name}")


@app.command("list")
def list_(project: Annotated[str, typer.Option("--project", "-p", help="The project.")]) -> None:
    """List the release requests of a project, newest first."""
    from phems.services.release_summaries import summary_of

    with _releases() as (releases, actor):
        rows = [summary_of(view) for view in releases.list(actor, project)]
    output.show_rows(rows, _COLUMNS, empty=f"No release requests yet: phems release request -p {project}")


@app.command("show")
def show(
    id_: Id,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="Copy this file's frozen bytes out, for review.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --file: the new file to write.")] = None,
) -> None:
    """Show a release request, its files, and the votes and comments that you may see."""
    from phems.services.release_summaries import summary_of

    if (file is None) != (out is None):
        raise InputError(
            "--file and --out belong together.",
            why="a file's content goes to a file of yours, never to the terminal.",
            remedy=f"phems release show {id_} --file NAME --out FILE",
        )
    with _releases() as (releases, actor):
        summary = summary_of(releases.show(actor, id_))
        if file is not None and out is not None:
            _write_out(releases, actor, id_, file, out)
            output.done({"file": out.absolute()}, f"Wrote {file} to {out}. It must not leave the node.")
            return
    output.show_fields(summary, _FIELDS)
    if not session.current().json:
        output.say("\nFiles")
        output.show_rows(summary.files, _FILE_COLUMNS)
        if summary.comments:
            output.say("\nComments")
            output.show_rows(summary.comments, _COMMENT_COLUMNS)


@app.command("vote")
def vote(
    id_: Id,
    approve: Annotated[
        list[str] | None, typer.Option("--approve", help="Approve this file; 'all' for every file.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--changes", help="Request changes to this file; or 'all'.")
    ] = None,
    undecided: Annotated[
        list[str] | None, typer.Option("--undecided", help="Take the vote on this file back; or 'all'.")
    ] = None,
) -> None:
    """Vote on the files of a release request; other checkers see it only when they have voted too."""
    from phems.domain.votes import Vote

    wanted = {
        Vote.APPROVED: approve or [],
        Vote.CHANGES_REQUESTED: changes or [],
        Vote.UNDECIDED: undecided or [],
    }
    with _releases() as (releases, actor):
        votes = _votes(releases.show(actor, id_), wanted)
        view = releases.vote(actor, id_, votes)
    _done(view, f"Voted on {len(votes)} files of {id_}. It is {view.request.state.value}.")


@app.command("comment")
def comment(
    id_: Id,
    text: Annotated[str, typer.Argument(help="What you have to say.")],
    private: Annotated[bool, typer.Option("--private", help="For the checkers alone.")] = False,
) -> None:
    """Say something about a release request."""
    with _releases() as (releases, actor):
        view = releases.comment(actor, id_, text, private=private)
    _done(view, f"Commented on {id_}.")


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
    """Give a request back to its author for changes."""
    _decide(lambda releases, actor: releases.return_(actor, id_, reason=reason))


@app.command("withdraw")
def withdraw(id_: Id, reason: OptionalReason = "") -> None:
    """Take your own request back, until it is released."""
    _decide(lambda releases, actor: releases.withdraw(actor, id_, reason=reason))


@app.command("revoke")
def revoke(id_: Id, reason: Reason) -> None:
    """Take an approval or a release back; a notice joins the package."""
    _decide(lambda releases, actor: releases.revoke(actor, id_, reason=reason))


@app.command("download")
def download(
    id_: Id,
    out: Annotated[Path, typer.Option(help="The folder to put it into, as OUT/REQUEST.")] = Path(),
) -> None:
    """Copy a released package, verified against its manifest."""
    with _releases() as (releases, actor):
        place = releases.download(actor, id_, out.absolute())
    output.done({"id": id_, "package": place}, f"The package lies in {place}")


def _decide(act: Callable[[Releases, Actor], ReleaseView]) -> None:
    with _releases() as (releases, actor):
        view = act(releases, actor)
    _done(view, f"{view.request.id} is {view.request.state.value}.")


def _done(view: ReleaseView, text: str) -> None:
    from phems.services.release_summaries import summary_of

    output.done(summary_of(view), text)


def _votes(view: ReleaseView, wanted: dict[Vote, list[str]]) -> dict[str, Vote]:
    """The votes by path; files are named by their name, their path, or all at once."""
    votes: dict[str, Vote] = {}
    for vote, names in wanted.items():
        for path in (path for name in names for path in _paths(view, name)):
            if votes.setdefault(path, vote) is not vote:
                raise InputError(
                    f"The file {path!r} has two votes.",
                    why="each file takes one vote of each checker.",
                    remedy=f"Name it once: phems release vote {view.request.id} --help",
                )
    if not votes:
        raise InputError(
            "No file is voted on.",
            why="a vote names files.",
            remedy=f"phems release vote {view.request.id} --approve all",
        )
    return votes


def _paths(view: ReleaseView, name: str) -> list[str]:
    from phems.domain.outputs import name_of

    every = [file.path for file in view.request.outputs()]
    found = every if name == "all" else [path for path in every if name in (path, name_of(path))]
    if len(found) != 1 and name != "all":
        raise InputError(
            f"{view.request.id} has {'no file' if not found else 'several files'} {name!r}.",
            why=f"its files are: {', '.join(every)}.",
            remedy=f"Name one by its path: phems release show {view.request.id}",
        )
    return found


def _write_out(releases: Releases, actor: Actor, id_: str, name: str, out: Path) -> None:
    from phems.adapters.files.disk import disk_errors, write_file

    [path] = _paths(releases.show(actor, id_), name)
    if out.exists():
        raise InputError(f"{out} exists already.", why="nothing is overwritten.", remedy="Name a new file.")
    with disk_errors("The file could not be written", out.parent):
        write_file(out, releases.read_file(actor, id_, path), 0o600)
