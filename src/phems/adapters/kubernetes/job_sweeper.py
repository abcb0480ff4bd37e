"""Sweeps the Jobs of a project that no worker answers for: at a worker's start, and from time to time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection

from phems.adapters.kubernetes.job_runner import JobRunner, Live
from phems.errors import PhemsError
from phems.render.project_pods import label_value
from phems.render.step_job import job_name

_LOG = logging.getLogger("phems.kubernetes")
SWEEP_SECONDS = 60.0
LOOK_SECONDS = 1.0


class JobSweeper:
    """One sweep after the other, in a thread of its own, until closed.

    `held()` gives the attempts that any worker performs now: run, step and attempt; `others()` the other
    workers of the project that live.
    """

    def __init__(
        self,
        jobs: JobRunner,
        held: Callable[[], Collection[tuple[str, str, int]]],
        others: Callable[[], Collection[str]],
    ) -> None:
        self._jobs = jobs
        self._held = held
        self._others = others
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._sweep_on, name="phems-sweep", daemon=True)

    def start(self) -> None:
        """Begin to sweep, once the cluster has been looked at."""
        self._thread.start()

    def close(self) -> None:
        """Sweep no more."""
        self._closed.set()
        self._thread.join()

    def _sweep_on(self) -> None:
        while not self._jobs.wait(LOOK_SECONDS):
            if self._closed.is_set():
                return
        while not self._closed.is_set():
            try:
                self._jobs.sweep(self._live)
            except PhemsError as error:  # the database is away: later
                _LOG.warning("Jobs could not be swept (%s)", error.what)
            self._closed.wait(SWEEP_SECONDS)

    def _live(self) -> Live:
        return Live({job_name(*attempt) for attempt in self._held()}, set(map(label_value, self._others())))
