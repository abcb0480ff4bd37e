"""`phems doctor`: everything that the node depends on, looked at, and what to mend."""

from __future__ import annotations

from collections import Counter

import typer

from phems.cli import output, session

app = typer.Typer()


@app.command()
def doctor() -> None:
    """Look at everything that the node depends on, and say what to mend. Exit code 1 when something failed.

    Starts nothing and changes nothing, whether the node runs or not.
    """
    folder = session.node_folder()
    from phems.bootstrap.doctor import State, examine

    findings = list(examine(folder))
    output.show_rows(findings, ["check", "state", "seen", "remedy"])
    counts = Counter(finding.state for finding in findings)
    output.say("\n" + ", ".join(f"{counts[state]} {state}" for state in State if counts[state]))
    if counts[State.FAILED]:
        raise typer.Exit(1)
