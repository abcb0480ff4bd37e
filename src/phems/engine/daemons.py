"""Dagster's daemon in this process: schedules, sensors, backfills, and a run queue that does not wait.

Stock Dagster looks at its run queue every five seconds; this one is woken when a run is queued or
ends, and looks by itself only in case a notification was lost.
"""

from __future__ import annotations

import threading
from typing import Any

from dagster import DagsterInstance

from phems.engine._dagster import (
    DagsterDaemonController,
    DagsterRun,
    QueuedRunCoordinatorDaemon,
    create_daemons_from_instance,
)
from phems.engine.run_queue import FrontOfQueue, OtherRuns, QueuedRuns, limits_of
from phems.engine.untold import FirstLineAlone
from phems.engine.workspace import NodeWorkspace

LOST_NOTIFICATION_SECONDS = 10.0
FIRST_LINE = FirstLineAlone()


class WokenRunQueueDaemon(QueuedRunCoordinatorDaemon):
    """Dagster's run queue daemon, woken instead of ticking, and shown the front of the queue alone."""

    def __init__(self, queued: QueuedRuns) -> None:
        super().__init__(interval_seconds=LOST_NOTIFICATION_SECONDS)
        self._queued = queued
        self._woken = threading.Event()
        self._others = OtherRuns()

    def wake(self) -> None:
        """A run was queued, or one ended and left its place."""
        self._woken.set()

    def core_loop(self, workspace_process_context: Any, shutdown_event: threading.Event) -> Any:
        """Dequeue what may start, then wait to be woken. See `DagsterDaemon.core_loop`."""
        while not shutdown_event.is_set():
            self._woken.wait(LOST_NOTIFICATION_SECONDS)
            self._woken.clear()
            yield from self.run_iteration(workspace_process_context)
            yield None

    def _get_runs_to_dequeue(
        self, instance: DagsterInstance, concurrency_config: Any, fixed_iteration_time: float | None
    ) -> list[DagsterRun]:
        limits = limits_of(concurrency_config.run_queue_config.tag_concurrency_limits)
        shown: Any = FrontOfQueue(instance, self._queued.first(limits, others=self._others.due()))
        return super()._get_runs_to_dequeue(shown, concurrency_config, fixed_iteration_time)


class Daemons:
    """The daemon threads of one control process."""

    def __init__(self, instance: DagsterInstance, workspace: NodeWorkspace, queued: QueuedRuns) -> None:
        self._run_queue = WokenRunQueueDaemon(queued)
        others = [
            daemon
            for daemon in create_daemons_from_instance(instance)
            if daemon.daemon_type() != WokenRunQueueDaemon.daemon_type()
        ]
        self._daemons = [self._run_queue, *others]
        for daemon in self._daemons:
            daemon._logger.addFilter(FIRST_LINE)  # noqa: SLF001
        self._controller = DagsterDaemonController(workspace, self._daemons)

    def wake_run_queue(self) -> None:
        """See `WokenRunQueueDaemon.wake`."""
        self._run_queue.wake()

    def check(self) -> None:
        """Raise when a daemon's thread has ended."""
        self._controller.check_daemon_threads()

    def close(self) -> None:
        """End the threads."""
        # Its own exit joins every thread for up to half a minute each: tell them first, then wake.
        self._controller._daemon_shutdown_event.set()  # noqa: SLF001
        self._run_queue.wake()
        self._controller.__exit__(None, None, None)  # type: ignore[arg-type]
        for daemon in self._daemons:
            daemon.__exit__(None, None, None)  # type: ignore[no-untyped-call]
