"""`phems usage`: what each project used, for accounting."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from phems.cli import local_operator, output, session
from phems.errors import InputError

app = typer.Typer()

COLUMNS = ["project", "since", "until", "runs", "steps", "cpu_seconds", "cpu_seconds_told", "storage_bytes"]
RUN_COLUMNS = ["run", "project", "day", "cpu_seconds_told"]
AREAS = ["artifacts", "code", "compute_logs", "event_logs", "mlflow"]


@app.command()
def usage(
    project: Annotated[str | None, typer.Option(help="One project alone. Default: every one.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="The first day. Default: of this month.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The last day. Default: today.")
    ] = None,
    runs: Annotated[bool, typer.Option("--runs", help="A line for each run, with its CPU time.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, for a spreadsheet.")] = False,
) -> None:
    """Show runs, steps, CPU time and storage of each project. Days are in UTC, both included.

    CPU time is what the kernel counted of the project's processes on this node; storage is as it is now. What
    is told is the word of the project's own side, on its steps: it splits the time among runs, and is all
    that there is of pods.
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
        report = usage_of(node)
        if runs:
            found = [output.to_plain(run) for run in report.runs_of(names, first, last)]
            _show(found, RUN_COLUMNS, "No run used anything in these days.", as_csv=as_csv)
            return
        lines = report.of(names, first, last)
    rows = [
        {
            **output.to_plain(line),
            "storage_bytes": line.storage_bytes,
            **{f"{area}_bytes": line.storage[area] for area in AREAS},
        }
        for line in lines
    ]
    columns = [*COLUMNS, *(f"{area}_bytes" for area in AREAS if as_csv)]
    _show(rows, columns, "No projects in node.yaml yet.", as_csv=as_csv)


def _show(rows: list[dict[str, Any]], columns: list[str], empty: str, *, as_csv: bool) -> None:
    if not as_csv:
        output.show_rows(rows, columns, empty=empty)
        return
    writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{text} is not a day.", why=f"{option} is written as in 2026-11-28.", remedy="Correct it."
        ) from error
