"""The step queue of the server profile: a lease in Postgres, and a message that wakes a worker for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from phems.adapters.celery.sender import MessageSender
from phems.engine.leases import OrchestratorLeases
from phems.engine.step_queue import LastAttempt, StepTask, WorkerBeat


class CelerySteps:
    """See `StepQueue`. `tell_workers(run_id)` has every worker end a run's steps."""

    def __init__(
        self, leases: OrchestratorLeases, sender: MessageSender, tell_workers: Callable[[str], None]
    ) -> None:
        self.leases = leases
        self.sender = sender
        self._tell_workers = tell_workers
        self._over: set[str] = set()

    def publish(self, task: StepTask, run: str, known_state: str) -> None:  # noqa: ARG002
        """On record first: a message without a lease is of no use, a lease without one is sent again."""
        self.leases.offer(task, known_state)
        self.sender.send(task)

    def cancel_run(self, run_id: str) -> list[StepTask]:
        """See `StepQueue`; messages that are sent already are dropped by who gets them."""
        taken = self.leases.take_back(run_id)
        self.sender.drop(run_id)
        return taken

    def kill_run(self, run_id: str) -> None:
        """See `StepQueue`."""
        self._tell_workers(run_id)

    def attempts_of(self, run_id: str) -> Mapping[str, LastAttempt]:
        """See `StepQueue`."""
        return self.leases.attempts_of(run_id)

    def let_go(self, run_id: str) -> None:
        """Its attempts go on in their workers, and are adopted by who drives the run next."""

    def keep_only(self, run_ids: Collection[str]) -> None:
        """See `StepQueue`."""
        self.leases.keep_only(run_ids)

    def run_ended(self, run_id: str) -> None:
        """See `StepQueue`. What cannot be forgotten now is when the next run ends."""
        self._over.add(run_id)
        with suppress(SQLAlchemyError):
            self.leases.forget(self._over)
            self._over.clear()

    def project_changed(self, project: str) -> None:
        """Its steps run elsewhere."""

    def depths(self) -> Mapping[str, tuple[int, int]]:
        """See `StepQueue`."""
        return self.leases.depths()

    def lag(self) -> Mapping[str, float]:
        """See `StepQueue`."""
        return self.leases.lag()

    def workers(self) -> Sequence[WorkerBeat]:
        """See `StepQueue`."""
        return self.leases.workers()
