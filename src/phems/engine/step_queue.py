"""The step queue port: from a step that may run to a worker that runs it.

A task names one attempt of one step and nothing of how it is run. `publish` returns at once; the
order among a project's tasks is by priority, then by age; `cancel_run` takes back what has not
started. A queue may deliver a task twice; an attempt is begun once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from phems.engine.host_connection import StepEnd


@dataclass(frozen=True)
class StepTask:
    """One step attempt. `project` and `code_digest` say where; `priority` is larger for sooner."""

    project: str
    code_digest: str
    run_id: str
    step_key: str
    attempt: int
    priority: int = 0


class StepQueue(Protocol):
    """Carries tasks to workers."""

    def publish(self, task: StepTask) -> None:
        """Queue one attempt."""
        ...

    def cancel_run(self, run_id: str) -> list[StepTask]:
        """Take back a run's tasks that have not started; gives them."""
        ...


StartTask = Callable[[StepTask, Callable[[StepEnd], None]], bool]
"""Starts a task; False when its host is not ready, in which case the queue is told later to try again."""
