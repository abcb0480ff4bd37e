"""`phems project`: the projects of the node, and a Code Repo to begin one with."""

from __future__ import annotations

import typer

from phems.cli import output, project_new, session
from phems.cli.node import opened_folder

app = typer.Typer(no_args_is_help=True)
app.command("new")(project_new.new)


@app.command("constraints")
def constraints() -> None:
    """Print the packages that the node brings into every environment, as constraints for uv and pip.

    A project that locks one of them locks this version: uv pip compile --constraint FILE ...
    """
    from phems.adapters.environments.wall_packages import wall_versions

    if session.current().json:
        output.print_json(dict(wall_versions()))
        return
    for name, version in wall_versions().items():
        output.say(f"{name}=={version}")


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
