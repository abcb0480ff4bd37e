"""A step queue whose tasks nobody takes: what tests of its users build upon."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from phems.engine.step_queue import LastAttempt, StepTask, WorkerBeat


class IdleSteps:
    """See `StepQueue`."""

    def publish(self, task: StepTask, run: str, known_state: str) -> None:
        """It waits for ever."""

    def cancel_run(self, run_id: str) -> list[StepTask]:
        return []

    def kill_run(self, run_id: str) -> None:
        """Nothing runs."""

    def attempts_of(self, run_id: str) -> Mapping[str, LastAttempt]:
        return {}

    def let_go(self, run_id: str) -> None:
        self.cancel_run(run_id)
        self.kill_run(run_id)

    def keep_only(self, run_ids: Collection[str]) -> None:
        """Nothing is kept."""

    def run_ended(self, run_id: str) -> None:
        """Nothing is kept."""

    def project_changed(self, project: str) -> None:
        """Nothing starts."""

    def depths(self) -> Mapping[str, tuple[int, int]]:
        return {}

    def lag(self) -> Mapping[str, float]:
        return {}

    def workers(self) -> Sequence[WorkerBeat]:
        return ()
