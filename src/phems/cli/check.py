"""`phems check`: everything that is wrong with a node.yaml, and with what it names on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phems.cli import output, session

app = typer.Typer()


@app.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(help="A node's folder or its node.yaml. Default: the node of --node.")
    ] = None,
    spec_only: Annotated[
        bool, typer.Option("--spec-only", help="Read node.yaml alone, not the repos and files it names.")
    ] = False,
) -> None:
    """Find everything that is wrong with a node.yaml, as `file:line: key: what, why, remedy`."""
    from phems import nodespec

    file = nodespec.spec_file(session.node_folder() if path is None else path)
    shown = _short(file)
    text = nodespec.read_node_text(file)
    spec, document = nodespec.inspect_text(text, file=shown)
    problems = document.problems
    if spec is not None and not spec_only:
        from phems.adapters.node_check import check_world

        problems = sorted([*problems, *check_world(spec, file.absolute().parent, document)])
    if problems or spec is None:
        raise nodespec.SpecError(problems)
    counts = {"projects": len(spec.projects), "data_sources": len(spec.data_sources)}
    summary = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    output.done({"file": str(file), "problems": [], **counts}, f"{shown}: no problems ({summary}).")


def _short(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_absolute() and file.is_relative_to(here) else str(file)
