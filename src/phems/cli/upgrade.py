"""`phems upgrade`: the node's database, brought to what this version of the node needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phems.cli import output, session
from phems.cli.admin_url import AdminUrl
from phems.errors import InputError

app = typer.Typer()


@app.command()
def upgrade(
    backup: Annotated[
        Path | None,
        typer.Option(
            help="The folder to back up to before. Default: beside the node's, named .before-NUMBER."
        ),
    ] = None,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Make no backup before.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say what there is to do.")] = False,
    admin_url: AdminUrl = None,
) -> None:
    """Back a stopped node up, then bring its database to what this version of the node needs.

    All migrations happen or none does, and none that loses a row.
    """
    from phems.adapters.postgres.migrate import latest
    from phems.bootstrap.upgrade import upgrade as bring_forward

    if backup is not None and no_backup:
        raise InputError("--backup and --no-backup are both given.", remedy="Take one of the two.")
    folder = session.node_folder()
    to = backup or folder.with_name(f"{folder.name}.before-{latest()}")
    done = bring_forward(
        folder, to=None if no_backup else to.absolute(), look_only=check, admin=admin_url, told=output.say
    )
    if done.migration == done.latest:
        text = f"Nothing to do: the database is at migration {done.latest}."
    elif check:
        text = f"The database is at migration {done.migration}, and this version needs {done.latest}."
    else:
        kept = f" As it was before: {done.backup}" if done.backup else ""
        text = f"The database was at migration {done.migration}, and is at {done.latest} now.{kept}"
    output.done(done, text)
