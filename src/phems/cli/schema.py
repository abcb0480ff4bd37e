"""`phems schema`: the JSON Schema of node.yaml."""

from __future__ import annotations

import typer

from phems.cli import output

app = typer.Typer()


@app.command(
    epilog="Editors complete and check node.yaml with it: "
    "# yaml-language-server: $schema=node.schema.json as its first line."
)
def schema() -> None:
    """Print the JSON Schema of node.yaml."""
    from phems.nodespec import node_schema

    output.print_json(node_schema())
