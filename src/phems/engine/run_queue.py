"""Which of the queued runs are looked at: those that may start now, however many wait behind them.

Dagster's daemon reads its whole queue, run by run, each time it looks; with ten thousand runs of one project
waiting, each start of any other project's run would take seconds. It is shown the front of each project's
queue instead, and what it makes of it (limits, priorities, pauses) stays its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from dagster import DagsterInstance

from phems.engine._dagster import DagsterRun, RunsFilter
from phems.engine.tags import PROJECT_TAG

LOOK_FOR_OTHERS_SECONDS = 10.0
OTHERS_AT_ONCE = 50


class QueuedRuns(Protocol):
    """The queue, in the order in which runs start: a larger priority first, then the older."""

    def first(self, most: Mapping[str, int], *, others: int) -> Sequence[str]:
        """The runs that may start: of each project as many as it has room for, when `most` may be active.

        And at most `others` runs of projects that `most` does not name: nothing limits them, and admission
        refuses them.
        """
        ...


class FrontOfQueue:
    """The instance, as Dagster's run queue daemon is shown it for one look: all but the queue is as it is."""

    def __init__(self, instance: DagsterInstance, run_ids: Sequence[str]) -> None:
        self._instance = instance
        self._run_ids = run_ids
        self._is_read = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instance, name)

    def get_runs(self, *_asked: object, **_how: object) -> Sequence[DagsterRun]:
        """The front of the queue, in one page: whoever asks for another has seen it all."""
        if self._is_read or not self._run_ids:
            return []
        self._is_read = True
        found = self._instance.get_runs(RunsFilter(run_ids=list(self._run_ids)))
        places = {run_id: place for place, run_id in enumerate(self._run_ids)}
        return sorted(found, key=lambda run: places[run.run_id])


class OtherRuns:
    """When to look for runs of a project that was taken out of node.yaml: they only wait to be refused.

    Each look for them reads the whole queue, and the queue's length must not slow the start of a run.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._due_at = now()

    def due(self) -> int:
        """How many of them to look at this time."""
        if self._now() < self._due_at:
            return 0
        self._due_at = self._now() + LOOK_FOR_OTHERS_SECONDS
        return OTHERS_AT_ONCE


def limits_of(tag_limits: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """How many runs of each project may be active, out of the queue's own configuration."""
    return {
        limit["value"]: limit["limit"]
        for limit in tag_limits
        if limit["key"] == PROJECT_TAG and isinstance(limit.get("value"), str)
    }
