"""`phems project`: the projects of the node, and a Code Repo to begin one with."""

from __future__ import annotations

import typer

from phems.cli import output, project_new
from phems.cli.node import opened_folder

app = typer.Typer(no_args_is_help=True)
app.command("new")(project_new.new)


@app.command("list")
def list_() -> None:
    """List the projects in node.yaml; at a node's address, those that you may read."""
    with opened_folder() as node:
        rows = node.projects()
    output.show_rows(
        rows,
        ["name", "title", "repo", "branch", "policy", "data_grants"],
        empty="No projects in node.yaml yet.",
    )
