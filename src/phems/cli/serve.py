"""`phems serve`: run the node, or a pool of its workers, until it is stopped."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from phems.cli import output, session
from phems.cli.interrupts import ending_at_once
from phems.errors import InputError

app = typer.Typer()


class ServedRole(StrEnum):
    """What a process of the node may be."""

    CONTROL = "control"
    WORKER = "worker"


@app.command()
def serve(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The gateway's port. Default: gateway.port.")
    ] = None,
    role: Annotated[
        ServedRole,
        typer.Option(help="control: gateway, daemons, orchestrator, publisher. worker: performs steps."),
    ] = ServedRole.CONTROL,
    pool: Annotated[
        str | None, typer.Option(help="Of a worker: the pool whose projects it serves. Default: default.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Of a worker: steps of one project at once, at most. Default: queue.concurrency.",
        ),
    ] = None,
) -> None:
    """Run the node until it is stopped with Ctrl-C or SIGTERM.

    With the profile embedded this one process is the whole node; runs that were on their way go on when
    it is started again. With the profiles server and kubernetes several may run, one of which drives the
    runs while the others wait to take over, and workers see to the steps: phems serve --role worker. A worker
    told to stop takes no more steps, and ends when those that it has have ended; told twice, it ends them.
    """
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.disable(logging.INFO)  # Dagster's daemons set levels of their own, and tell of every tick
    folder = session.node_folder()
    # Before what takes seconds to import: a slip in node.yaml is told at once.
    session.load_node()
    if role is ServedRole.WORKER:
        if port is not None:
            raise InputError("A worker has no port.", remedy="Leave --port out.")
        with ending_at_once():
            from phems.serve.pool import WorkerPool

        WorkerPool(folder, pool or "default", concurrency).run(output.say)
        return
    if pool is not None or concurrency is not None:
        raise InputError(
            "--pool and --concurrency are a worker's.", remedy="phems serve --role worker, or leave them out."
        )
    with ending_at_once():
        from phems.serve import ServingNode

    ServingNode(folder, port=port).run(output.say)
