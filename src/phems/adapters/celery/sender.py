"""Sends the messages of the step queue, in a thread of its own: who drives runs never waits for a broker.

What cannot be sent is not lost: the attempt is on record, and who looks after the leases sends it again.
What is not sent yet is counted with what waits in a queue: it is not missing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping

from celery import Celery

from phems.adapters.celery.app import QUEUE, level_of
from phems.adapters.celery.messages import TASK, name_of
from phems.adapters.celery.outbox import Outbox
from phems.engine.step_queue import StepTask

_LOG = logging.getLogger("phems.steps")
_AT_ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
CLOSE_SECONDS = 2.0


class MessageSender:
    """One thread, and a connection for each project; `app_of(project)` makes its application, once."""

    def __init__(self, app_of: Callable[[str], Celery], priorities: Mapping[str, int]) -> None:
        self._app_of = app_of
        self._priorities = priorities
        self._apps: dict[str, Celery] = {}
        self._outbox = Outbox()
        self._unreachable: set[str] = set()
        self._thread = threading.Thread(target=self._send_all, name="phems-step-sender", daemon=True)
        self._thread.start()

    def send(self, task: StepTask) -> None:
        """Send an attempt's message soon."""
        self._outbox.put(task)

    def drop(self, run_id: str) -> None:
        """Send nothing more of a run that is to end: nobody would take it."""
        self._outbox.drop(run_id)

    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def lengths(self, projects: Collection[str]) -> Mapping[str, int]:
        """How many messages of these projects wait, here or in their queues; without those that cannot be
        reached."""
        found = {}
        for project in projects:
            try:
                # In this order: what is sent in between counts twice, and not never.
                found[project] = self._outbox.unsent(project) + self._length(project)
            except Exception as error:  # noqa: BLE001 (of whatever library: the broker is away)
                self._tell(project, error)
        return found

    def close(self) -> None:
        """Send what can be sent in a moment, and end; whoever leads next sends the rest."""
        self._outbox.close()
        self._thread.join(CLOSE_SECONDS)
        self._outbox.clear()
        self._thread.join()
        for app in self._apps.values():
            app.close()

    def _send_all(self) -> None:
        while (task := self._outbox.take()) is not None:
            try:
                self._send(task)
                self._unreachable.discard(task.project)
            except Exception as error:  # noqa: BLE001 (as above)
                self._tell(task.project, error)

    def _send(self, task: StepTask) -> None:
        self._app(task.project).send_task(
            TASK,
            args=[name_of(*task.key)],
            queue=QUEUE,
            priority=level_of(task.priority - self._priorities[task.project]),
            # Once more over a fresh connection: this one may have been closed while nothing was sent.
            retry=True,
            retry_policy=_AT_ONCE,
            ignore_result=True,
            # Nobody reads how the message looks to a person, and to write it takes as long as the rest.
            argsrepr="",
            kwargsrepr="",
        )

    def _length(self, project: str) -> int:
        with self._app(project).connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            with connection.channel() as channel:
                (declared,) = self._app(project).conf.task_queues
                declared(channel).declare()
                return int(channel.queue_declare(QUEUE, passive=True).message_count)

    def _app(self, project: str) -> Celery:
        if project not in self._apps:
            app = self._app_of(project)
            # Nobody reads from a connection that only sends, so that it answers no heartbeat: the broker
            # would close it in every pause. That the broker is gone, TCP's own keep-alive notices.
            app.conf.broker_heartbeat = 0
            self._apps.setdefault(project, app)
        return self._apps[project]

    def _tell(self, project: str, error: Exception) -> None:
        # Once, not for each of a thousand steps; the error may hold the address with its password.
        if project not in self._unreachable:
            self._unreachable.add(project)
            _LOG.warning("the queue of %s cannot be reached (%s)", project, type(error).__name__)
