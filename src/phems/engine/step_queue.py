"""The step queue port: from a step that may run to a worker that runs it, and back how it ended.

A task names one attempt of one step and nothing of how it is run. `publish` returns at once; the order
among a project's tasks is by priority, then by age. A queue may deliver a task twice; an attempt is begun
once. How attempts end is told to the orchestrator by whoever wires the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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

    @property
    def key(self) -> tuple[str, str, int]:
        """What names the attempt in the whole node."""
        return (self.run_id, self.step_key, self.attempt)


@dataclass(frozen=True)
class LastAttempt:
    """The newest attempt of a step that the queue knows of; `is_open` while it waits or runs."""

    attempt: int
    is_open: bool


@dataclass(frozen=True)
class WorkerFacts:
    """A worker as it makes itself known: one process, which serves one project of a pool."""

    id: str
    pool: str
    project: str
    host: str
    pid: int
    concurrency: int


@dataclass(frozen=True)
class WorkerBeat:
    """A living worker, how often it has beaten, and how many steps it performs."""

    facts: WorkerFacts
    beats: int
    running: int


class StepQueue(Protocol):
    """Carries tasks to workers."""

    def publish(self, task: StepTask, run: str, known_state: str) -> None:
        """Queue one attempt, with the serialised run and what the step needs of the run's state."""
        ...

    def cancel_run(self, run_id: str) -> list[StepTask]:
        """Take back a run's tasks that have not started; gives them."""
        ...

    def kill_run(self, run_id: str) -> None:
        """End the processes of a run's steps, wherever they are; asked again until they have ended."""
        ...

    def attempts_of(self, run_id: str) -> Mapping[str, LastAttempt]:
        """By step key what has outlived the process that published it: who takes up a run asks once."""
        ...

    def let_go(self, run_id: str) -> None:
        """Who drove the run gives it up for now: what would not be adopted from `attempts_of` ends."""
        ...

    def run_ended(self, run_id: str) -> None:
        """The run is over: nothing more is asked about it."""
        ...

    def keep_only(self, run_ids: Collection[str]) -> None:
        """All runs but these are over: who begins to drive says so once."""
        ...

    def project_changed(self, project: str) -> None:
        """A host of the project may be ready now."""
        ...

    def depths(self) -> Mapping[str, tuple[int, int]]:
        """Per project: how many tasks wait, how many run."""
        ...

    def lag(self) -> Mapping[str, float]:
        """Per project with tasks that wait: for how many seconds the oldest has, where that is known."""
        ...

    def workers(self) -> Sequence[WorkerBeat]:
        """The workers in processes of their own."""
        ...


StartTask = Callable[[StepTask, Callable[[StepEnd], None]], bool]
"""Starts a task; False when its host is not ready, in which case the queue is told later to try again."""
