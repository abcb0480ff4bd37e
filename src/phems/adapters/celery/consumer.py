"""The worker's end of the step queue: a Celery worker of one project, a thread for each step.

A message is verified before anything else is done with it; what is not the node's own is dropped and told.
It is acknowledged when its step has ended: a worker that dies gives its messages back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.exceptions import Reject
from celery.worker import strategy
from celery.worker.consumer import Consumer

from phems.adapters.celery.messages import (
    CONTENT_TYPE,
    TASK,
    ForgedMessageError,
    MessageSigner,
    attempt_named,
)

_LOG = logging.getLogger("phems.steps")
_SHOWN = 200

RunStep = Callable[[str, str, int], bool]
"""Performs one attempt (run, step, attempt) until it has ended; False when the message must be given back."""
TellForged = Callable[[str], None]
"""Told why a message was dropped."""


class StepConsumer:
    """Takes steps until `run` returns: it does on SIGTERM, when the steps that it performs have ended."""

    def __init__(self, app: Celery, signer: MessageSigner, run_step: RunStep, told: TellForged) -> None:
        self._app = app
        self._signer = signer
        self._told = told
        app.conf.worker_consumer = _consumer_of(self._drop)

        def step(content: object) -> None:
            if not run_step(*attempt_named(content)):
                raise Reject("not now", requeue=True)

        app.task(step, name=TASK, Strategy=self._verified, serializer=signer.serializer, ignore_result=True)
        app.finalize()

    def run(self, name: str, concurrency: int) -> None:
        """Take steps, so many at once."""
        worker = self._app.Worker(
            hostname=name,
            pool="threads",
            concurrency=concurrency,
            optimization="fair",
            without_gossip=True,
            without_mingle=True,
            loglevel=logging.WARNING,
            quiet=True,
        )
        worker.start()

    def _verified(self, task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:
        """Celery's own way from a message to a task, behind the check of its signature."""
        go_on = strategy.default(task, app, consumer, **options)

        def receive(message: Any, *parts: Any, **more: Any) -> Any:
            why = self._what_is_wrong(message)
            if why:
                self._drop(message, why)
                return None
            return go_on(message, *parts, **more)

        return receive

    def _what_is_wrong(self, message: Any) -> str:
        if message.content_type != CONTENT_TYPE:
            return "The message is not of the kind that this node writes."
        try:
            args, _kwargs, _embedded = self._signer.read(message.body)
            attempt_named(*args)
        except ForgedMessageError as error:
            return str(error)
        except (TypeError, ValueError):
            return "The message names no attempt."
        return ""

    def _drop(self, message: Any, why: str) -> None:
        _LOG.warning("a message was dropped: %s", why[:_SHOWN])
        self._told(why[:_SHOWN])
        # Acknowledged once it was told, so that a worker that dies here is told again.
        message.ack_log_error(_LOG, (Exception,))


def _consumer_of(drop: Callable[[Any, str], None]) -> type[Consumer]:
    class StrictConsumer(Consumer):  # type: ignore[misc]
        """Drops, and tells, what Celery would only log."""

        def on_unknown_message(self, _body: Any, message: Any) -> None:
            drop(message, "The message names no task.")

        def on_unknown_task(self, _body: Any, message: Any, _error: Any) -> None:
            drop(message, "The message names a task that this node has not.")

        def on_invalid_task(self, _body: Any, message: Any, _error: Any) -> None:
            drop(message, "The message is not well formed.")

        def on_decode_error(self, message: Any, _error: Any) -> None:
            drop(message, "The message cannot be read.")

    return StrictConsumer
