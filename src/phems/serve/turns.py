"""Several control processes of one server node: who holds the lock in Postgres leads, the others wait.

What one of them does for a run that another drives goes by notification; what a notification may have
missed is looked up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing

from sqlalchemy import Engine, text

from phems.adapters.celery.app import make_app
from phems.adapters.celery.messages import MessageSigner
from phems.adapters.celery.sender import MessageSender
from phems.adapters.celery.steps import CelerySteps
from phems.adapters.host_plans import settings_of
from phems.adapters.postgres.leadership import Leadership
from phems.adapters.postgres.notifications import Listener
from phems.adapters.postgres.step_leases import ENDED_CHANNEL, PostgresOrchestratorLeases, read_notice
from phems.bootstrap.broker import broker_access, message_key
from phems.bootstrap.channels import CANCEL_CHANNEL, KILL_CHANNEL, QUEUED_CHANNEL
from phems.bootstrap.node import Node
from phems.engine.control_plane import ControlPlane
from phems.engine.lease_watch import LeaseWatch, WatchParts

_TELL = text("SELECT pg_notify(:channel, :payload)")
EVERYTHING_SECONDS = 3600.0


class PostgresLeader:
    """The control process that leads, told by notification."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cancel(self, run_id: str, reason: str) -> None:
        """See `engine.control_plane.Leader`."""
        self._tell(CANCEL_CHANNEL, json.dumps([run_id, reason]))

    def run_queued(self) -> None:
        """See `engine.control_plane.Leader`."""
        self._tell(QUEUED_CHANNEL, "")

    def kill_run(self, run_id: str) -> None:
        """Have every worker end a run's steps."""
        self._tell(KILL_CHANNEL, run_id)

    def _tell(self, channel: str, payload: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(_TELL, {"channel": channel, "payload": payload})


class LeadingInTurn:
    """One of several control processes of a server node; its steps are carried by Celery."""

    def __init__(self, node: Node, stack: ExitStack) -> None:
        engine = node.database.engine("dagster")
        self._url = node.database.url("dagster")
        self.leader = PostgresLeader(engine)
        signer = MessageSigner(message_key(node.paths.keys))
        priorities = {name: project.priority for name, project in settings_of(node.spec).items()}
        sender = stack.enter_context(
            closing(
                MessageSender(
                    lambda project: make_app(broker_access(node.spec, node.paths, project), signer),
                    priorities,
                )
            )
        )
        self.steps = CelerySteps(PostgresOrchestratorLeases(engine), sender, self.leader.kill_run)
        self._watch: LeaseWatch | None = None

    def listeners(self, control: ControlPlane) -> Mapping[str, Listener]:
        """Ends of steps, runs that were queued or are to be cancelled elsewhere."""

        def ended(notice: str) -> None:
            if notice:
                control.attempt_ended(read_notice(notice))
            else:
                self.catch_up(control)

        return {
            ENDED_CHANNEL: ended,
            CANCEL_CHANNEL: lambda payload: control.cancel_if_leading(*json.loads(payload)),
            QUEUED_CHANNEL: lambda _payload: control.wake_run_queue(),
        }

    def begin(self, control: ControlPlane, stack: ExitStack, on_gain: Callable[[], None]) -> None:
        """When the lock is this process's."""

        def gain() -> None:
            control.lead()
            self._watch = LeaseWatch(
                WatchParts(
                    self.steps.leases,
                    self.steps.sender.lengths,
                    self.steps.sender.send,
                    control.orchestrator.driven,
                    control.attempt_ended,
                )
            )
            self._watch.start()
            on_gain()

        def lose() -> None:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
            control.step_down()

        leadership = Leadership(self._url, gain, lose)
        stack.callback(leadership.close)
        leadership.start()

    def catch_up(self, control: ControlPlane) -> None:
        """Ends of steps that were told while nobody listened."""
        for end in self.steps.leases.ended(control.orchestrator.driven(), EVERYTHING_SECONDS):
            control.attempt_ended(end)
