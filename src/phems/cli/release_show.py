"""`phems release list`, `show` and `history`: what a person may see of requests, and files to read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phems.cli import output, session
from phems.cli.release_session import Id, opened, path_of
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.cli.ports import ReleasePort
    from phems.domain.actors import Actor
    from phems.services.release_summaries import FindingSummary, ReleaseSummary

_COLUMNS = ["id", "project", "state", "phase", "turn", "requester", "requested_at", "context"]
_FIELDS = [
    *("id", "project", "state", "phase", "turn", "requester", "requested_at", "policy", "votes_needed"),
    *("runs", "decided_by", "decided_at", "reason", "released_at", "package_digest"),
]
_FILE_COLUMNS = ["name", "kind", "size", "checks", "decision", "votes", "sha256"]
_WORD_COLUMNS = ["file", "checker", "justification", "reason"]
_FINDING_COLUMNS = ["file", "verdict", "check", "summary"]
_COMMENT_COLUMNS = ["by", "at", "turn", "visibility", "group", "text"]
_EVENT_COLUMNS = ["at", "turn", "by", "what", "about", "text"]

Turn = Annotated[int | None, typer.Option(min=1, help="This earlier turn, as it ended.")]


def states() -> list[str]:
    """For completion: it must not wait for anything but the domain."""
    from phems.domain.release_states import ReleaseState

    return [state.value for state in ReleaseState]


def register(app: typer.Typer) -> None:
    """Add the commands to `phems release`."""
    app.command("list")(list_)
    app.command("show")(show)
    app.command("history")(history)


def list_(
    project: Annotated[str, typer.Option("--project", "-p", help="The project.")],
    state: Annotated[
        str | None, typer.Option(help="In this state alone, such as SUBMITTED.", autocompletion=states)
    ] = None,
) -> None:
    """List the release requests of a project, newest first."""
    if state is not None and state.upper() not in states():
        raise InputError(
            f"{state!r} is no state of a release request.",
            why=f"the states are: {', '.join(states())}.",
            remedy="phems release list --help",
        )
    with opened() as (releases, actor):
        rows = releases.list(actor, project)
    shown = [row for row in rows if state is None or row.state == state.upper()]
    output.show_rows(shown, _COLUMNS, empty=f"No release requests: phems release request -p {project}")


def show(
    id_: Id,
    turn: Turn = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="Copy this file's frozen bytes out, for review.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --file: the new file to write.")] = None,
) -> None:
    """Show a release request: its file groups, what the checks found, and what you may see of the review."""
    if (file is None) != (out is None):
        raise InputError(
            "--file and --out belong together.",
            why="a file's content goes to a file of yours, never to the terminal.",
            remedy=f"phems release show {id_} --file NAME --out FILE",
        )
    with opened() as (releases, actor):
        if file is not None and out is not None:
            _write_out(releases, actor, id_, file, out, turn)
            output.done({"file": out.absolute()}, f"Wrote {file} to {out}. It must not leave the node.")
            return
        summary = releases.show(actor, id_, turn=turn)
    output.show_fields(summary, _FIELDS)
    if not session.current().json:
        _tell(summary)


def history(id_: Id) -> None:
    """Show all that was done to a release request and that you may see: turns, votes, comments, decisions."""
    from phems.domain.outputs import name_of

    with opened() as (releases, actor):
        events = releases.history(actor, id_)
    if session.current().json:
        output.show_rows(events, [])
        return
    rows = []
    for event in events:
        about = event.about or "-"
        rows.append({**output.to_plain(event), "about": name_of(about) or about})
    output.show_rows(rows, _EVENT_COLUMNS)


def _tell(summary: ReleaseSummary) -> None:
    for group in summary.groups:
        output.say(f"\nFile group {group.name}\n  context:  {group.context}\n  controls: {group.controls}")
        output.show_rows([file for file in summary.files if file.group == group.name], _FILE_COLUMNS)
    _section("What checkers say of files", _words(summary), _WORD_COLUMNS)
    _section("Output checks that ask for a look", _findings(summary), _FINDING_COLUMNS)
    _section("Comments", list(summary.comments), _COMMENT_COLUMNS)
    if summary.turn > 1:
        output.say(f"\nEarlier turns: phems release history {summary.id}")


def _section(title: str, rows: list[Any], columns: list[str]) -> None:
    if rows:
        output.say(f"\n{title}")
        output.show_rows(rows, columns)


def _words(summary: ReleaseSummary) -> list[dict[str, str]]:
    return [
        {
            "file": file.name,
            "checker": checker,
            "justification": file.justifications.get(checker, ""),
            "reason": file.reasons.get(checker, ""),
        }
        for file in summary.files
        for checker in file.votes
        if checker in file.justifications or checker in file.reasons
    ]


def _findings(summary: ReleaseSummary) -> list[dict[str, Any]]:
    every: list[tuple[str, FindingSummary]] = [("(all)", finding) for finding in summary.findings]
    every += [(file.name, finding) for file in summary.files for finding in file.findings]
    return [
        {**output.to_plain(finding), "file": name} for name, finding in every if finding.verdict != "pass"
    ]


def _write_out(releases: ReleasePort, actor: Actor, id_: str, name: str, out: Path, turn: int | None) -> None:
    from phems.adapters.files.disk import disk_errors, write_file

    path = path_of(releases.show(actor, id_, turn=turn), name)
    if out.exists():
        raise InputError(f"{out} exists already.", why="nothing is overwritten.", remedy="Name a new file.")
    with disk_errors("The file could not be written", out.parent):
        write_file(out, releases.read_file(actor, id_, path, turn=turn), 0o600)
