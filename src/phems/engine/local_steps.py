"""The step queue of the embedded profile: this process's own queue, and its own worker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from phems.engine.host_connection import StepEnd
from phems.engine.in_process_queue import InProcessQueue
from phems.engine.step_queue import LastAttempt, StepTask, WorkerBeat
from phems.engine.step_runner import Starter


class LocalSteps:
    """See `StepQueue`."""

    def __init__(
        self, worker: Starter, concurrency: Callable[[str], int], on_end: Callable[[StepEnd], None]
    ) -> None:
        self.worker = worker
        self._queue = InProcessQueue(concurrency, worker.start, on_end)

    def publish(self, task: StepTask, run: str, known_state: str) -> None:
        """See `StepQueue`."""
        self.worker.expect(task, run, known_state)
        self._queue.publish(task)

    def cancel_run(self, run_id: str) -> list[StepTask]:
        """See `StepQueue`."""
        return self._queue.cancel_run(run_id)

    def kill_run(self, run_id: str) -> None:
        """See `StepQueue`."""
        self.worker.kill_run(run_id)

    def attempts_of(self, run_id: str) -> Mapping[str, LastAttempt]:  # noqa: ARG002 (the port's)
        """None: steps end with the process that started their host."""
        return {}

    def let_go(self, run_id: str) -> None:
        """See `StepQueue`: the steps of a run cannot be found again."""
        self.cancel_run(run_id)
        self.kill_run(run_id)

    def run_ended(self, run_id: str) -> None:
        """Nothing is kept of a run."""

    def keep_only(self, run_ids: Collection[str]) -> None:
        """Nothing is kept of the others."""

    def project_changed(self, project: str) -> None:
        """See `StepQueue`."""
        self._queue.pump(project)

    def depths(self) -> Mapping[str, tuple[int, int]]:
        """See `StepQueue`."""
        return self._queue.depths()

    def lag(self) -> Mapping[str, float]:
        """Not known: what waits here waits for its project's own steps alone."""
        return {}

    def workers(self) -> Sequence[WorkerBeat]:
        """None: the worker is this process."""
        return ()
