"""Luigi as its documentation has it: its central scheduler, and for each run a `luigi` with four workers."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
from tests.rabbitmq import RabbitMq

from benchmarks.server.installed import programs_of, version_of
from benchmarks.side import SideError, end_process, free_port, start_process, wait_for

HERE = Path(__file__).parent
TASKS: Mapping[str, str] = {"one_op": "OneOp", "fanout": "Fanout", "chain": "Chain", "artifact": "Artifact"}
WORKERS = 4
RUN_SECONDS = 900.0


class LuigiPeer:
    """See `works.Peer`."""

    notes = (
        "no server takes its runs: each is a `luigi` process of the client's, and has ended when it has",
        "its scheduler keeps its state in memory, whether a task is done is whether its file is there",
        "no events are kept; no broker, no database, no sign-in, no sandbox",
        "runs at once: four at a time, one worker each",
        "the 200 MB are a plain file, written by one task and read by the next",
    )

    def __init__(self, _: RabbitMq) -> None:
        self._programs = programs_of("luigi")
        self.title = f"Luigi {version_of(self._programs, 'luigi')}"
        self._closing = ExitStack()
        try:
            self._start()
        except BaseException:
            self._closing.close()
            raise

    def _start(self) -> None:
        self._folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="phems-bench-")))
        self._port = free_port()
        self._environment = {**os.environ, "PYTHONPATH": str(HERE)}
        words = ["--address", "127.0.0.1", "--port", str(self._port), "--state-path", self._folder / "state"]
        process = start_process(
            [self._programs / "luigid", *words], self._folder / "luigid.log", self._environment, self._folder
        )
        self._closing.callback(end_process, process)
        wait_for(self._answers, "the start of luigid")

    def do(self, work: str) -> None:
        """One `luigi`."""
        if work not in TASKS:
            raise NotImplementedError(work)
        self._run(work, WORKERS)

    def do_many(self, count: int) -> None:
        """So many of them, four at a time."""
        with ThreadPoolExecutor(WORKERS) as clients:
            list(clients.map(lambda _: self._run("one_op", 1), range(count)))

    def close(self) -> None:
        """End its scheduler."""
        self._closing.close()

    def _run(self, work: str, workers: int) -> None:
        folder = self._folder / secrets.token_hex(4)
        words = ["--module", "luigi_tasks", TASKS[work], "--folder", folder, "--workers", str(workers)]
        scheduler = ["--scheduler-host", "127.0.0.1", "--scheduler-port", str(self._port)]
        done = subprocess.run(
            [self._programs / "luigi", *words, *scheduler],
            check=False,
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=RUN_SECONDS,
        )
        if done.returncode != 0 or not any(folder.glob(f"{TASKS[work]}-*")):
            raise SideError(f"luigi {TASKS[work]} ended with {done.returncode}", done.stderr[-2000:])

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/").status_code < 500
        except httpx.HTTPError:
            return False
