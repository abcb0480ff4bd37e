"""`phems db`: an external Postgres, set up for the node by its administrator."""

from __future__ import annotations

from typing import Annotated

import typer

from phems.cli import output, session
from phems.errors import InputError

app = typer.Typer(help="An external Postgres of the node.")


@app.command()
def init(
    admin_url: Annotated[
        str | None,
        typer.Option(
            "--admin-url",
            envvar="PHEMS_DB_ADMIN",
            metavar="URL",
            help="The address of a role that may create roles and databases. Others on this machine can read "
            "a command line: rather set the variable.",
            show_default=False,
        ),
    ] = None,
    reset_passwords: Annotated[
        bool,
        typer.Option(
            "--reset-passwords",
            help="Give roles that exist the passwords in the keys folder: another node loses its access.",
        ),
    ] = False,
) -> None:
    """Make the database of database.url, its roles and schemas, and run migrations; again after an upgrade.

    The node runs with its own roles from then on, whose passwords it keeps in its keys folder: nobody else
    needs them, and it needs no administrator.
    """
    if session.node_url() is not None:
        raise InputError(
            "A database is set up where the node is.",
            why="it writes the passwords to the node's keys folder.",
            remedy="phems --node FOLDER db init",
        )
    if not admin_url:
        raise InputError(
            "The administrator's address is missing.",
            why="roles, schemas and migrations need one, this once.",
            remedy="export PHEMS_DB_ADMIN=postgresql://postgres:password@host/postgres",
        )
    from phems.adapters.postgres.migrate import latest
    from phems.bootstrap.database import set_up_database

    spec, paths = session.load_node()
    with set_up_database(spec, paths, admin_url, reset_passwords=reset_passwords) as database:
        where = database.base.render_as_string()
        name, version = str(database.base.database), latest()
    output.done(
        {"database": name, "migration": version, "keys": str(paths.keys)},
        f"{where} is set up (migration {version}). The passwords of its roles are in {paths.keys}.",
    )
