"""`phems serve`: run the node until it is stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from phems.cli import output, session

app = typer.Typer()


@app.command()
def serve(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The gateway's port. Default: gateway.port.")
    ] = None,
) -> None:
    """Run the node: Postgres, hosts, orchestrator, daemons, publisher and gateway, in one process.

    Stop it with Ctrl-C or SIGTERM; runs that were on their way go on when it is started again.
    """
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.disable(logging.INFO)  # Dagster's daemons set levels of their own, and tell of every tick
    folder = session.node_folder()
    from phems.serve import ServingNode

    ServingNode(folder, port=port).run(output.say)
