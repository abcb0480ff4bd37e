"""`phems demo`: the main job told and checked in the terminal, on a node of its own in `.demo/`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phems.cli.interrupts import ending_at_once

app = typer.Typer()


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo lives; it is made anew each time.")] = Path(
        ".demo"
    ),
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the node running at the end, and say how to open the UI.")
    ] = False,
    practise: Annotated[
        bool,
        typer.Option(
            "--practise",
            help="Stop where people are waited for, keep the node running, and say how to act as them.",
        ),
    ] = False,
) -> None:
    """Take two projects with real clinical data from submitted code to released files, and check each claim.

    Exit code 0 only if every check held.
    """
    with ending_at_once():
        from phems.cli.demo_practice import practise as practise_in
        from phems.cli.demo_story import tell

    if practise:
        practise_in(folder.absolute())
        return
    tell(folder.absolute(), keep=keep)
