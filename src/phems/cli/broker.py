"""`phems broker`: the logins of projects at the RabbitMQ that carries steps to workers.

Who acts is the user of the token, or without one `local-operator`: see `phems.cli.local_operator`.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from phems.cli import output, session
from phems.errors import InputError

app = typer.Typer(no_args_is_help=True)

ADMIN = "PHEMS_BROKER_ADMIN"


@app.command("init")
def init(
    admin_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="RabbitMQ's management API with an administrator's login, as "
            f"http://user:password@host:15672. Default: {ADMIN}, which no process list shows.",
            show_default=False,
        ),
    ] = None,
    rotate: Annotated[
        str | None, typer.Option(metavar="PROJECT", help="Give this project another password.")
    ] = None,
) -> None:
    """Make a vhost, a user with rights there alone, and a login file for each project.

    What is right already stays as it is, passwords too: run it again whenever a project is added.
    """
    folder = session.node_folder()
    given = admin_url or os.environ.get(ADMIN)
    if not given:
        raise InputError(
            "The login of RabbitMQ's administrator is missing.",
            why=f"neither --admin-url nor {ADMIN} is set.",
            remedy=f"export {ADMIN}=http://user:password@host:15672",
        )
    from phems.adapters.rabbitmq.management import parse_admin_url

    login = parse_admin_url(given)
    from phems.bootstrap import open_node
    from phems.bootstrap.broker import broker_logins_of, broker_of
    from phems.cli import local_operator

    broker_of(session.load_node()[0])
    with open_node(folder) as node, broker_logins_of(node, login) as logins:
        actor = local_operator.acting(node, "node.operate")
        reports = logins.bring_about(actor, sorted(node.declared.projects), rotate=rotate)
    output.show_rows(
        reports,
        ["project", "vhost", "changes"],
        empty="No project yet: write one in node.yaml, then phems broker init again.",
    )
