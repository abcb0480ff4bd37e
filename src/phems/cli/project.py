"""`phems project`: the projects of the node."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from phems.cli import output, session

app = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project, as node.yaml describes it."""

    name: str
    title: str | None
    repo: str
    branch: str
    policy: str
    data_grants: tuple[str, ...]
    data_analysts: tuple[str, ...]
    output_checkers: tuple[str, ...]
    information_asset_owners: tuple[str, ...]


@app.command("list")
def list_() -> None:
    """List the projects in node.yaml."""
    spec, _ = session.load_node()
    rows = [
        ProjectRow(
            name=name,
            title=project.title,
            repo=project.code.repo,
            branch=project.code.branch,
            policy=project.policy,
            data_grants=tuple(grant.source for grant in project.data_grants),
            data_analysts=project.members.data_analyst,
            output_checkers=project.members.output_checker,
            information_asset_owners=project.members.information_asset_owner,
        )
        for name, project in spec.projects.items()
    ]
    output.show_rows(
        rows,
        ["name", "title", "repo", "branch", "policy", "data_grants"],
        empty="No projects in node.yaml yet.",
    )
