"""A pool of workers: for each project that names the pool one process, started again when it dies.

The processes are forked from one that has imported what they need, and has no thread. When one dies, its
steps are given up at once, so that they start again elsewhere without anybody waiting for its silence.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from phems.adapters.node_log import node_log
from phems.adapters.postgres.step_leases import PostgresWorkerLeases
from phems.bootstrap.database import open_database
from phems.engine.step_queue import WorkerFacts
from phems.errors import InputError, PhemsError
from phems.nodespec import load_node, node_paths

_LOG = logging.getLogger("phems.pool")
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 30.0


@dataclass
class _Place:
    """A project's place in the pool, and the process that has it now."""

    project: str
    concurrency: int
    process: BaseProcess | None = None
    facts: WorkerFacts | None = None
    started_at: float = 0.0
    deaths: int = 0
    again_at: float = field(default=0.0)


class WorkerPool:
    """The workers of one pool on this machine. `run` once."""

    def __init__(self, folder: Path, pool: str, concurrency: int | None) -> None:
        self._folder = folder
        self._pool = pool
        self.spec = load_node(folder)
        if self.spec.profile == "embedded":
            raise InputError(
                "A node of the profile embedded has no workers of its own.",
                why="Its steps run in the one process of phems serve.",
                remedy="Set profile: server, or profile: kubernetes, in node.yaml, or leave --role out.",
            )
        self._places = [
            _Place(name, min(concurrency or project.queue.concurrency, project.queue.concurrency))
            for name, project in self.spec.projects.items()
            if project.queue.pool == pool
        ]
        if not self._places:
            pools = ", ".join(sorted({project.queue.pool for project in self.spec.projects.values()}))
            raise InputError(
                f"No project is served by the pool {pool}.",
                why=f"Pools that projects name: {pools or 'none'}.",
                remedy="Name one of them with --pool, or set queue.pool of a project in node.yaml.",
            )
        self._stopping = False

    def run(self, told: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT; a second one ends the steps that still run."""
        # Imported before the first fork, so that all share it.
        import phems.bootstrap.project_worker  # noqa: F401

        woken_read, woken_write = os.pipe()
        os.set_blocking(woken_write, False)

        def stop(number: int, _frame: FrameType | None) -> None:
            self._end_workers(signal.SIGKILL if self._stopping else signal.SIGTERM)
            self._stopping = True
            with contextlib.suppress(BlockingIOError):
                os.write(woken_write, bytes([number]))

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        projects = ", ".join(place.project for place in self._places)
        told(f"Serving the steps of {projects} (pool {self._pool})")
        while not self._stopping or any(place.process for place in self._places):
            self._start_missing()
            waited_for = [place.process.sentinel for place in self._places if place.process]
            wait([*waited_for, woken_read], self._seconds_to_next())
            self._bury_dead()

    def _start_missing(self) -> None:
        for place in self._places:
            if place.process is None and not self._stopping and time.monotonic() >= place.again_at:
                self._start(place)

    def _start(self, place: _Place) -> None:
        facts = WorkerFacts(
            id=f"{socket.gethostname()}-{place.project}-{secrets.token_hex(4)}",
            pool=self._pool,
            project=place.project,
            host=socket.gethostname(),
            pid=0,
            concurrency=place.concurrency,
        )
        process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(self._folder, facts), name=f"phems-worker-{place.project}"
        )
        process.start()
        place.process, place.facts, place.started_at = process, facts, time.monotonic()

    def _bury_dead(self) -> None:
        for place in self._places:
            if place.process is None or place.process.is_alive():
                continue
            place.process.join()
            code = place.process.exitcode
            place.process = None
            if place.facts is not None:
                self._give_up(place.facts)
            if self._stopping:
                continue
            steady = time.monotonic() - place.started_at >= STEADY_SECONDS
            place.deaths = 0 if steady else place.deaths + 1
            pause = min(FIRST_PAUSE_SECONDS * 2 ** max(0, place.deaths - 1), LONGEST_PAUSE_SECONDS)
            place.again_at = time.monotonic() + pause
            _LOG.warning("the worker of %s ended (%s); another starts in %.1f s", place.project, code, pause)

    def _give_up(self, facts: WorkerFacts) -> None:
        # Where the database does not answer, whoever leads notices the silence.
        with contextlib.suppress(PhemsError, SQLAlchemyError):
            paths = node_paths(self.spec, self._folder)
            with open_database(self.spec, paths, start=False) as database:
                PostgresWorkerLeases(database.engine("dagster"), facts).leave()

    def _seconds_to_next(self) -> float | None:
        if self._stopping:
            return None
        moments = [place.again_at for place in self._places if place.process is None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _end_workers(self, number: int) -> None:
        for place in self._places:
            if place.process is not None and place.process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(place.process.pid, number)


def _serve(folder: Path, facts: WorkerFacts) -> None:
    """What a worker process does, from its fork to its end."""
    from dataclasses import replace

    from phems.adapters.parent_death import end_with_parent
    from phems.bootstrap.project_worker import ProjectWorker

    end_with_parent()
    if (log := node_log()) is not None:
        log.project = facts.project
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the pool decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        ProjectWorker(folder, replace(facts, pid=os.getpid())).run()
    except PhemsError as error:
        _LOG.error("the worker of %s cannot serve: %s", facts.project, error)
        raise SystemExit(1) from None
