"""The lease port: which step attempts wait, run and have ended, and which worker answers for them.

A message in the queue is a wake-up; what is true lies here. An attempt is offered once, taken by one worker
at a time, and ended once. A worker beats while it lives: one that has stopped is declared lost, with its
attempts, and from that moment nothing that it writes is taken. No clock of any machine is compared with
another's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import LastAttempt, StepTask, WorkerBeat


class NotTaken(Enum):
    """Why a worker does not get an attempt."""

    GONE = "GONE"
    """It was taken before, has ended, was taken back, or never was: the message is of no use."""
    BUSY = "BUSY"
    """The project runs as many steps as it may: later."""


@dataclass(frozen=True)
class TakenStep:
    """An attempt that is this worker's; `known_state` is Dagster's, serialised."""

    task: StepTask
    known_state: str


class OrchestratorLeases(Protocol):
    """What the orchestrator's side does with leases."""

    def offer(self, task: StepTask, known_state: str) -> None:
        """Put an attempt on record, to be taken by a worker; one that is there already stays as it is."""
        ...

    def take_back(self, run_id: str) -> list[StepTask]:
        """End the attempts of a run that no worker has taken; gives them."""
        ...

    def attempts_of(self, run_id: str) -> Mapping[str, LastAttempt]:
        """The newest attempt of each step of a run."""
        ...

    def ended(self, run_ids: Collection[str], within_seconds: float) -> Sequence[StepEnd]:
        """How attempts of these runs have ended lately: for who may have missed being told."""
        ...

    def waiting(self, project: str, older_than_seconds: float) -> Sequence[StepTask]:
        """A project's attempts that have waited for so long and no worker holds: oldest first."""
        ...

    def count_waiting(self, older_than_seconds: float) -> Mapping[str, int]:
        """By project, how many those are; without projects that have none."""
        ...

    def workers(self) -> Sequence[WorkerBeat]:
        """The workers that are on record."""
        ...

    def lose(self, worker_id: str) -> list[StepEnd]:
        """Declare a worker lost: its attempts have ended without a word. Gives them."""
        ...

    def forget(self, run_ids: Collection[str]) -> None:
        """These runs are over."""
        ...

    def keep_only(self, run_ids: Collection[str]) -> None:
        """All other runs are over."""
        ...

    def depths(self) -> Mapping[str, tuple[int, int]]:
        """Per project: how many attempts wait, how many run."""
        ...

    def lag(self) -> Mapping[str, float]:
        """Per project with attempts that wait: for how many seconds the oldest has."""
        ...


class WorkerLeases(Protocol):
    """What one worker does with leases."""

    def register(self) -> None:
        """Put the worker on record."""
        ...

    def beat(self) -> bool:
        """Say that the worker lives; False when it was declared lost, and must begin anew."""
        ...

    def take(self, run_id: str, step_key: str, attempt: int, limit: int) -> TakenStep | NotTaken:
        """Take an attempt of the worker's own project, of which at most `limit` steps run at once."""
        ...

    def end(self, end: StepEnd) -> bool:
        """Put on record how an attempt ended, and tell; False when it was this worker's no more."""
        ...

    def held(self) -> Collection[tuple[str, str, int]]:
        """The attempts of the worker's project that any worker performs now: run, step and attempt."""
        ...

    def living(self) -> Collection[str]:
        """The ids of the workers of the project that are on record."""
        ...

    def leave(self) -> None:
        """The worker ends; what it still holds is lost at once."""
        ...
