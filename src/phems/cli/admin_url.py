"""The option --admin-url of commands that may set a node's external Postgres up again."""

from __future__ import annotations

from typing import Annotated

import typer

AdminUrl = Annotated[
    str | None,
    typer.Option(
        "--admin-url",
        envvar="PHEMS_DB_ADMIN",
        metavar="URL",
        help="For a node with an external Postgres: its administrator's address, as for phems db init.",
        show_default=False,
    ),
]
