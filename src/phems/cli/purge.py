"""`phems purge`: what ended runs left, and unused packages, removed when older than node.yaml has it kept."""

from __future__ import annotations

from typing import Annotated

import typer

from phems.cli import local_operator, output, session

app = typer.Typer()


@app.command()
def purge(
    project: Annotated[str | None, typer.Option(help="One project alone. Default: every one.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
) -> None:
    """Remove event logs, compute logs, artifacts and environments older than their project's retention.

    Never the audit log, what governance knows, frozen files and packages; nothing of a run that has not
    ended, or that a release request names; no environment of code that may run.
    """
    from phems.bootstrap import open_node
    from phems.bootstrap.purge import environment_purges_of, purges_of

    with open_node(session.node_folder()) as node:
        actor = local_operator.acting(node, "node.operate")
        purges = purges_of(node)
        environments = environment_purges_of(node)
        names, everyone = node.written.project_names(project), node.written.project_names()
        parts = [
            part for name in names for part in (purges.plan(name) if dry_run else purges.purge(actor, name))
        ]
        unused = (
            environments.plan(everyone, project) if dry_run else environments.purge(actor, everyone, project)
        )
    rows = [{**output.to_plain(part), "run_count": len(part.runs)} for part in parts]
    rows += [{**output.to_plain(part), "run_count": 0} for part in unused]
    empty = "Nothing is older than node.yaml has it kept."
    output.show_rows(rows, ["project", "area", "days", "run_count", "items", "bytes"], empty=empty)
    if rows:
        output.say(
            "Nothing was removed." if dry_run else "Removed; the audit log names each run and environment."
        )
