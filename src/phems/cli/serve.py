"""`phems serve`: run the node, or a pool of its workers, until it is stopped."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, session
from phems.cli.interrupts import ending_at_once
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.nodespec import NodePaths, NodeSpec
    from phems.serve import ServingNode
    from phems.serve.pool import WorkerPool

app = typer.Typer()


class ServedRole(StrEnum):
    """What a process of the node may be."""

    CONTROL = "control"
    WORKER = "worker"


def _set_up_log(spec: NodeSpec, paths: NodePaths, role: ServedRole) -> None:
    import os

    from phems.adapters.node_log import NodeLog, set_up
    from phems.bootstrap.log_secrets import secrets_of

    log = NodeLog(spec.log.format, role=role.value, secrets=secrets_of(spec, paths, os.environ))
    set_up(log, with_requests=spec.log.requests)


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
    if role is ServedRole.WORKER and port is not None:
        raise InputError("A worker has no port.", remedy="Leave --port out.")
    if role is ServedRole.CONTROL and (pool is not None or concurrency is not None):
        raise InputError(
            "--pool and --concurrency are a worker's.", remedy="phems serve --role worker, or leave them out."
        )
    # All that is read and imported before anything is done: what is made here sees to signals itself.
    with ending_at_once():
        served = _prepared(role, port, pool or "default", concurrency)
    served.run(output.say)


def _prepared(
    role: ServedRole, port: int | None, pool: str, concurrency: int | None
) -> ServingNode | WorkerPool:
    folder = session.node_folder()
    # Before what takes seconds to import: a slip in node.yaml is told at once.
    spec, paths = session.load_node()
    _set_up_log(spec, paths, role)
    if role is ServedRole.WORKER:
        from phems.serve.pool import WorkerPool

        return WorkerPool(folder, pool, concurrency)
    from phems.serve import ServingNode

    return ServingNode(folder, port=port)
