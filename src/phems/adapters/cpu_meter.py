"""What the hosts of projects use of the machine, and runs are said to use: written down every few seconds.

The kernel's own figures of each host's process tree: loading code, serving it and performing steps. What a
host used after the last reading before its end is not counted, nor is what a killed control process had read
and not yet written.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from phems.adapters.postgres.project_usage import PostgresProjectUsage
from phems.adapters.process_times import living, tree_seconds
from phems.engine.counted_starter import RunOf
from phems.errors import PhemsError

_LOG = logging.getLogger("phems.usage")
EVERY_SECONDS = 5.0
HostPid = tuple[str, int]
"""A project, and the number of one of its hosts' first process."""


class CpuMeter:
    """One for each process that has hosts. `run` in a thread of its own."""

    def __init__(
        self,
        hosts: Callable[[], Iterable[HostPid]],
        told: Callable[[], Mapping[RunOf, float]],
        store: PostgresProjectUsage,
    ) -> None:
        self._hosts = hosts
        self._told = told
        self._store = store
        self._read: dict[tuple[int, int], float] = {}
        self._unwritten: defaultdict[str, float] = defaultdict(float)
        self._unwritten_runs: defaultdict[RunOf, float] = defaultdict(float)

    def run(self, stopping: threading.Event) -> None:
        """Read and write until it is time to stop, and then once more."""
        is_last = False
        while not is_last:
            is_last = stopping.wait(EVERY_SECONDS)
            try:
                self.read()
            except Exception:  # noqa: BLE001 (logged, and read again)
                _LOG.exception("the use of the machine could not be read; it is tried again")

    def read(self) -> None:
        """Take a reading, and write down what was used since the last; when that fails, the next time."""
        self._read_hosts()
        for run, seconds in self._told().items():
            self._unwritten_runs[run] += seconds
        with suppress(PhemsError):
            for project, seconds in list(self._unwritten.items()):
                if seconds:
                    self._store.add(project, seconds)
                del self._unwritten[project]
            if self._unwritten_runs:
                self._store.add_told(self._unwritten_runs)
                self._unwritten_runs.clear()

    def _read_hosts(self) -> None:
        processes = living()
        known: dict[tuple[int, int], float] = {}
        for project, pid in self._hosts():
            if pid not in processes:
                continue
            key = (pid, processes[pid].started)
            known[key] = tree_seconds(pid, processes)
            # A process that is killed takes what it had not yet been waited for out of the sum.
            used = known[key] - self._read.get(key, 0.0)
            self._unwritten[project] += max(used, 0.0)
            known[key] = max(known[key], self._read.get(key, 0.0))
        self._read = known
