"""`phems release check`: what the output checks would find, before anybody is asked."""

from __future__ import annotations

from typing import Annotated

import typer

from phems.cli import output, session
from phems.cli.node import opened

_COLUMNS = ["file", "verdict", "check", "summary", "evidence"]


def check(
    project: Annotated[str, typer.Option("--project", "-p", help="The project.")],
    run: Annotated[str | None, typer.Option(help="The run whose outputs are checked.")] = None,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", help="A file by name; may be given several times.")
    ] = None,
) -> None:
    """Run the output checks on outputs of a run, for yourself: nothing is asked for, nothing kept.

    Exit code 4 when a check failed.
    """
    from phems.domain.output_checks import Verdict, worst
    from phems.domain.outputs import name_of
    from phems.errors import RefusedError
    from phems.services.release_files import Choice

    with opened() as (node, actor):
        report = node.output_checks.rehearse(actor, project, Choice(run, tuple(file or ())))
    verdict = worst(report.findings)
    if session.current().json:
        output.print_json({"verdict": verdict.value, **report.as_json()})
    else:
        rows = [
            {**finding.as_json(), "file": name_of(finding.path) if finding.path else "(all)"}
            for finding in report.findings
        ]
        output.show_rows(rows, _COLUMNS)
        output.say(_CLOSING[verdict])
    if verdict is Verdict.FAIL:
        raise typer.Exit(RefusedError.exit_code)


_CLOSING = {
    "pass": "\nNothing was found. That is no decision: people review the files.",
    "review": "\nPeople will look at what says review.",
    "fail": "\nMend what failed, run again, and check again; or explain it in the request.",
}
