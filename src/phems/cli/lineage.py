"""`phems lineage`: the way from a released file back to the data, code and decisions that it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, session
from phems.cli.node import opened
from phems.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from phems.domain.run_lineage import RunLineage
    from phems.services.lineage import FileLineage, FileRelease, Lineage

app = typer.Typer(no_args_is_help=True)
_SHOWN = 12


@app.callback()
def lineage() -> None:
    """Where released files come from."""


@app.command("show")
def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|RUN|RELEASE",
            help="A file on this machine or the SHA-256 of one, a run, or a release request.",
        ),
    ],
    project: Annotated[str, typer.Option("--project", "-p", help="The project.")],
) -> None:
    """Show the way from released bytes back to the version of each data source."""
    with opened() as (node, actor):
        found = node.lineages.of(actor, project, _name_of(what))
    if session.current().json:
        output.print_json(output.to_plain(found))
        return
    for line in lines_of(found):
        output.say(line)


def lines_of(found: Lineage) -> Iterator[str]:
    """What people read: each file with the requests it is in, then each run with what it rests on."""
    yield f"{found.subject} {found.name} of {found.project}"
    if not found.files:
        yield "  No file was registered."
    for file in found.files:
        yield ""
        yield from _file_lines(file)
    for run in found.runs:
        yield ""
        yield from _run_lines(run, found.project)


def _file_lines(file: FileLineage) -> Iterator[str]:
    yield f"file {file.path}"
    yield f"  sha256    {file.sha256}"
    yield f"  from      step {file.step_key} of run {file.run_id}"
    for release in file.releases:
        yield f"  release   {_release_line(release)}"


def _release_line(release: FileRelease) -> str:
    line = f"{release.request}, turn {release.turn}: {release.state}"
    if release.released_at is None:
        return line
    said = f"{(release.decision or '').lower()} by {', '.join(release.checkers)}"
    return f"{line}; {said}; {_at(release.released_at)}; package {release.package_digest}"


def _run_lines(run: RunLineage, project: str) -> Iterator[str]:
    yield f"run {run.run_id}"
    if run.requested_by is None or run.requested_at is None:
        yield "  The node has no record of who asked for it."
        return
    yield f"  asked for {_at(run.requested_at)} by {run.requested_by}"
    admitted = f"{_at(run.admitted_at)} as capsule {run.capsule}" if run.admitted_at else "not yet"
    yield f"  admitted  {admitted}"
    code = f"{project}@{run.commit[:_SHOWN]}" if run.commit else f"digest {run.code_digest}"
    approved = f", approved by {', '.join(run.approved_by)}" if run.approved_by else ""
    yield f"  code      {code}{approved}"
    if run.environment_digest:
        yield f"  packages  {run.environment_digest}"
    if run.policy_version:
        yield f"  rules     {run.policy_version}"
    for name, version in run.data.items():
        yield f"  data      {name} {version}"
    for asset in run.assets:
        yield f"  asset     {asset.name}; where its author says that its columns come from:"
        for column, sources in asset.columns.items():
            yield f"              {column} from {', '.join(sources)}"


def _at(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")


def _name_of(what: str) -> str:
    path = Path(what)
    if not path.is_file():
        return what
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{what} cannot be read.", why=str(error), remedy=f"ls -l {what}") from error
