"""The floor: the same work as plain Celery tasks, with no runs, no events and no record of anything."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import ExitStack
from pathlib import Path

from celery import Celery, chain, group
from tests.rabbitmq import RabbitMq

from benchmarks.server.works import CHAIN, FANOUT
from benchmarks.side import end_process, start_process

SECONDS = 600.0

app = Celery("floor", broker=os.environ.get("FLOOR_BROKER", ""), backend="rpc://")
app.conf.update(worker_prefetch_multiplier=1, task_acks_late=True, broker_connection_retry_on_startup=True)


@app.task
def nothing(_before: object = None) -> int:
    """The smallest task there is."""
    return 1


class CeleryFloor:
    """See `works.Peer`."""

    title = "plain Celery, the floor"
    notes = ("no runs, no events, no record of anything: what the broker and four processes cost alone",)

    def __init__(self, rabbitmq: RabbitMq) -> None:
        vhost = f"floor-{secrets.token_hex(3)}"
        rabbitmq.api("PUT", f"vhosts/{vhost}")
        url = rabbitmq.url.replace("amqp://", f"pyamqp://tests:{rabbitmq.password}@")
        self._closing = ExitStack()
        app.conf.broker_url = f"{url}/{vhost}"
        command = [sys.executable, "-m", "celery", "-A", "benchmarks.server.celery_floor", "worker"]
        worker = start_process(
            [*command, "--concurrency=4", "--loglevel=WARNING"],
            rabbitmq.folder / "floor.log",
            {**os.environ, "FLOOR_BROKER": app.conf.broker_url},
            Path.cwd(),
        )
        self._closing.callback(end_process, worker)

    def do(self, work: str) -> None:
        """One work, where it is one for Celery."""
        if work == "one_op":
            nothing.delay().get(SECONDS)
        elif work == "fanout":
            group(nothing.s() for _ in range(FANOUT))().get(SECONDS)
        elif work == "chain":
            chain(*(nothing.s() for _ in range(CHAIN)))().get(SECONDS)
        else:
            raise NotImplementedError(work)

    def do_many(self, count: int) -> None:
        """So many tasks."""
        for answer in [nothing.delay() for _ in range(count)]:
            answer.get(SECONDS)

    def close(self) -> None:
        """End its worker."""
        self._closing.close()
