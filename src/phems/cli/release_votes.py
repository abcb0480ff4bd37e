"""`phems release vote`: a checker's words on files, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli.release_session import Id, done, opened, path_of
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.domain.votes import Vote
    from phems.services.release_summaries import ReleaseSummary

Names = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the command to `phems release`."""
    app.command("vote")(vote)


def vote(
    id_: Id,
    approve: Annotated[
        Names, typer.Option("--approve", help="Approve this file; 'all' for every one.")
    ] = None,
    changes: Annotated[
        Names, typer.Option("--changes", help="Request changes to this file; or 'all'.")
    ] = None,
    undecided: Annotated[
        Names, typer.Option("--undecided", help="Take the vote on this file back; or 'all'.")
    ] = None,
    justification: Annotated[
        str, typer.Option(help="Why files may go although an output check failed them; kept with the vote.")
    ] = "",
    reason: Annotated[
        str, typer.Option(help="Why you change a vote after seeing the others'; kept with the vote.")
    ] = "",
) -> None:
    """Vote on the outputs of a release request.

    Nobody sees it before each file has the votes that the policy needs; the other checkers' votes are then
    shown to you, too, and a vote that is changed needs a --reason.
    """
    from phems.domain.votes import Vote

    wanted = {
        Vote.APPROVED: approve or [],
        Vote.CHANGES_REQUESTED: changes or [],
        Vote.UNDECIDED: undecided or [],
    }
    with opened() as (releases, actor):
        seen = releases.show(actor, id_)
        votes = _votes(seen, wanted)
        turn = seen.turn
        view = releases.vote(actor, id_, votes, justification=justification, reason=reason, turn=turn)
    done(view, f"Voted on {len(votes)} files of {id_}. It is {view.state}.")


def _votes(view: ReleaseSummary, wanted: dict[Vote, list[str]]) -> dict[str, Vote]:
    """The votes by path; files are named by their name, their path, or all outputs at once."""
    votes: dict[str, Vote] = {}
    for word, names in wanted.items():
        for path in (path for name in names for path in _paths(view, name)):
            if votes.setdefault(path, word) is not word:
                raise InputError(
                    f"The file {path!r} has two votes.",
                    why="each file takes one vote of each checker.",
                    remedy=f"Name it once: phems release vote {view.id} --help",
                )
    if not votes:
        raise InputError(
            "No file is voted on.",
            why="a vote names files.",
            remedy=f"phems release vote {view.id} --approve all",
        )
    return votes


def _paths(view: ReleaseSummary, name: str) -> list[str]:
    return (
        [file.path for file in view.files if file.kind == "output"]
        if name == "all"
        else [path_of(view, name)]
    )
