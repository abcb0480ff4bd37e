"""`phems usage`: what each project used, for accounting."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from phems.cli import local_operator, output, session
from phems.errors import InputError

app = typer.Typer()

COLUMNS = ["project", "since", "until", "runs", "steps", "cpu_seconds", "storage_bytes"]
AREAS = ["artifacts", "code", "compute_logs", "event_logs"]


@app.command()
def usage(
    project: Annotated[str | None, typer.Option(help="One project alone. Default: every one.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="The first day. Default: of this month.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The last day. Default: today.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, for a spreadsheet.")] = False,
) -> None:
    """Show runs, steps, CPU time and storage of each project. Days are in UTC, both included.

    CPU time is what the kernel counted of the project's processes on this node; storage is as it is now.
    """
    today = datetime.now(UTC).date()
    first = _day(since, "--from") if since else today.replace(day=1)
    last = _day(until, "--to") if until else today
    if first > last:
        raise InputError(f"{first} is after {last}.", remedy="Write the earlier day after --from.")
    from phems.bootstrap import open_node
    from phems.bootstrap.usage import usage_of

    with open_node(session.node_folder()) as node:
        local_operator.acting(node, "node.operate")
        names = node.written.project_names(project)
        lines = usage_of(node).of(names, first, last)
    rows = [
        {
            **output.to_plain(line),
            "storage_bytes": line.storage_bytes,
            **{f"{area}_bytes": line.storage[area] for area in AREAS},
        }
        for line in lines
    ]
    if not as_csv:
        output.show_rows(rows, COLUMNS, empty="No projects in node.yaml yet.")
        return
    names = [*COLUMNS, *(f"{area}_bytes" for area in AREAS)]
    writer = csv.DictWriter(sys.stdout, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{text} is not a day.", why=f"{option} is written as in 2026-11-28.", remedy="Correct it."
        ) from error
