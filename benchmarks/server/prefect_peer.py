"""Prefect 3 as its documentation has it: its server over Postgres, a process worker with four runs at once.

The worker asks for runs once a second instead of once in ten: its default would be most of a short run's
time. What is not comparable: the tasks of a flow are threads of one process, with no wall between them.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg2
from tests.rabbitmq import RabbitMq

from benchmarks.process_group import make_group
from benchmarks.run_table import RunTable, Statuses
from benchmarks.server.debian_postgres import USER, start_debian_postgres
from benchmarks.server.installed import programs_of, version_of
from benchmarks.server.works import EVENTS
from benchmarks.side import SideError, end_process, free_port, log_tails, start_process, wait_for

FLOWS = Path(__file__).with_name("prefect_flows.py")
POOL = "bench"
RUN_SECONDS = 900.0
SUBMITTERS = 8
STATUSES = Statuses(
    "SELECT id::text, state_type::text FROM flow_run WHERE id = ANY(%s::uuid[])",
    frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}),
)


class PrefectPeer:
    """See `works.Peer`."""

    notes = (
        "its server's database is Debian's Postgres with the same settings: the node's has no pg_trgm",
        "a process worker with at most four runs at once; it looks for runs every second, not every ten",
        "the tasks of a run are threads of one process, not processes of their own; no sign-in, no sandbox",
        "the events are log records, counted until all of them are in the server's database",
        "the 200 MB are pickled to its result store and read from there by the next task",
    )

    def __init__(self, _: RabbitMq) -> None:
        programs = programs_of("prefect")
        self.title = f"Prefect {version_of(programs, 'prefect')}"
        self._closing = ExitStack()
        try:
            self._start(programs)
        except BaseException:
            self._closing.close()
            raise

    def _start(self, programs: Path) -> None:
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="phems-bench-")))
        folder.chmod(0o755)
        group = make_group("prefect")
        self._closing.callback(group.close)
        socket = start_debian_postgres(self._closing, folder)
        port = free_port()
        logs = folder / "logs"
        environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{USER}@/{USER}?host={socket}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DO_NOT_TRACK": "1",
        }
        self._api = self._closing.enter_context(httpx.Client(base_url=environment["PREFECT_API_URL"]))

        def start(name: str, *words: str) -> None:
            command = [programs / "prefect", *words]
            process = start_process(command, logs / f"{name}.log", environment, folder)
            self._closing.callback(end_process, process)
            group.adopt(process.pid)

        try:
            start("server", "server", "start", "--host", "127.0.0.1", "--port", str(port))
            wait_for(self._answers, "the start of Prefect's server")
            for command in (
                [programs / "prefect", "work-pool", "create", POOL, "--type", "process"],
                [programs / "python", FLOWS],
            ):
                _run(command, environment, folder)
            self._deployments = self._find_deployments()
            start("worker", "worker", "start", "--pool", POOL, "--type", "process", "--limit", "4")
        except SideError as error:
            raise SideError(f"Prefect does not start: {error}", log_tails(logs)) from error
        address = f"postgresql://{USER}@/{USER}?host={socket}"
        self._runs = RunTable(address, STATUSES)
        self._closing.callback(self._runs.close)
        self._database = psycopg2.connect(address)
        self._database.autocommit = True
        self._closing.callback(self._database.close)

    def do(self, work: str) -> None:
        """One flow run; that of the events has ended when its log records are in the database."""
        run_id = self._submit(work)
        self._wait([run_id])
        if work == "events":
            wait_for(lambda: self._records(run_id) >= EVENTS, "the arrival of the log records")

    def do_many(self, count: int) -> None:
        """So many flow runs, submitted by eight clients."""
        with ThreadPoolExecutor(SUBMITTERS) as clients:
            runs = list(clients.map(lambda _: self._submit("one_op"), range(count)))
        self._wait(runs)

    def close(self) -> None:
        """End its server, its worker and its database."""
        self._closing.close()

    def _submit(self, work: str) -> str:
        path = f"/deployments/{self._deployments[work]}/create_flow_run"
        return str(self._api.post(path, json={}, timeout=60).raise_for_status().json()["id"])

    def _wait(self, run_ids: list[str]) -> None:
        ended = self._runs.wait(run_ids, RUN_SECONDS)
        bad = [f"{run_id} {status}" for run_id, status in ended.items() if status != "COMPLETED"]
        if bad or len(ended) != len(run_ids):
            raise SideError(f"{len(bad)} of {len(run_ids)} flow runs did not complete: {', '.join(bad[:3])}")

    def _records(self, run_id: str) -> int:
        with self._database.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM log WHERE flow_run_id = %s::uuid", (run_id,))
            return int(cursor.fetchone()[0])

    def _answers(self) -> bool:
        try:
            return self._api.get("/health").status_code == 200
        except httpx.HTTPError:
            return False

    def _find_deployments(self) -> Mapping[str, str]:
        found = self._api.post("/deployments/filter", json={}).raise_for_status().json()
        return {each["entrypoint"].rpartition(":")[2]: str(each["id"]) for each in found}


def _run(command: list[str | Path], environment: Mapping[str, str], folder: Path) -> None:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=dict(environment), cwd=folder
    )
    if done.returncode != 0:
        raise SideError(f"{Path(command[0]).name} {command[1]}: {done.stderr[-2000:]}")
