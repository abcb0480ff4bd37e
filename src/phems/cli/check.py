"""`phems check`: everything that is wrong with a node.yaml, and with what it names on this machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, session
from phems.errors import PhemsError

if TYPE_CHECKING:
    from phems.nodespec import NodeSpec

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
    _tell_what_is_not_in_force(spec, file)
    counts = {"projects": len(spec.projects), "data_sources": len(spec.data_sources)}
    summary = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    output.done({"file": str(file), "problems": [], **counts}, f"{shown}: no problems ({summary}).")


def _tell_what_is_not_in_force(spec: NodeSpec, file: Path) -> None:
    """A node that runs goes by the policy versions in force: a check changes none of them."""
    from phems import nodespec
    from phems.adapters.node_check import is_running

    folder = file.absolute().parent
    if not is_running(nodespec.node_paths(spec, folder)):
        return
    from phems.bootstrap import open_node
    from phems.nodespec.governed import contents_of

    with suppress(PhemsError), open_node(folder) as node:  # what is wrong with the node is `phems status`
        if contents_of(node.spec) != contents_of(spec):
            output.warn("what node.yaml says is not in force. To have it taken up: phems policy reload")


def _short(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_absolute() and file.is_relative_to(here) else str(file)
