"""Airflow 3 as its documentation has it: API server, scheduler, DAG processor and a Celery worker of four."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
from tests.rabbitmq import RabbitMq

from benchmarks.process_group import make_group
from benchmarks.run_table import RunTable, Statuses
from benchmarks.server.debian_postgres import USER, start_debian_postgres
from benchmarks.server.installed import programs_of, version_of
from benchmarks.side import SideError, end_process, free_port, log_tails, start_process, wait_for

DAGS = Path(__file__).with_name("airflow_dags.py")
DAG_IDS = ("one_op", "fanout", "chain")
RUN_SECONDS = 900.0
SUBMITTERS = 8
STATUSES = Statuses(
    "SELECT run_id, state FROM dag_run WHERE run_id = ANY(%s)", frozenset({"success", "failed"})
)


class AirflowPeer:
    """See `works.Peer`."""

    notes = (
        "its metadata lie in Debian's Postgres with the same settings; tasks go over the same RabbitMQ",
        "everyone is an administrator to its API (one token, asked for once); no sandbox",
        "its scheduler looks for work every 0.1 s, not every second, when it has none",
        "it keeps no events of a task but the log's lines in files: not measured",
        "its XCom is no place for 200 MB: not measured",
    )

    def __init__(self, rabbitmq: RabbitMq) -> None:
        self._programs = programs_of("airflow")
        self.title = f"Airflow {version_of(self._programs, 'apache-airflow')}"
        self._closing = ExitStack()
        try:
            self._start(rabbitmq)
        except BaseException:
            self._closing.close()
            raise

    def _start(self, rabbitmq: RabbitMq) -> None:
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="phems-bench-")))
        folder.chmod(0o755)
        group = make_group("airflow")
        self._closing.callback(group.close)
        address = f"postgresql://{USER}@/{USER}?host={start_debian_postgres(self._closing, folder)}"
        port, log_port = free_port(), free_port()
        environment = self._environment(folder, rabbitmq, address, port, log_port)
        logs = folder / "logs"
        (folder / "dags").mkdir()
        shutil.copy(DAGS, folder / "dags")

        def start(name: str, *words: str) -> None:
            command = [self._programs / "airflow", *words]
            process = start_process(command, logs / f"{name}.log", environment, folder)
            self._closing.callback(end_process, process)
            group.adopt(process.pid)

        self._api = self._closing.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))
        try:
            _run([self._programs / "airflow", "db", "migrate"], environment, folder)
            start("api-server", "api-server", "--host", "127.0.0.1", "--port", str(port))
            wait_for(self._answers, "the start of Airflow's API server")
            token = self._api.get("/auth/token").raise_for_status().json()["access_token"]
            self._api.headers["Authorization"] = f"Bearer {token}"
            start("dag-processor", "dag-processor")
            start("scheduler", "scheduler")
            start("worker", "celery", "worker", "--concurrency", "4")
            wait_for(self._has_dags, "the reading of the DAGs")
        except (SideError, httpx.HTTPError) as error:
            raise SideError(f"Airflow does not start: {error}", log_tails(logs)) from error
        self._runs = RunTable(address, STATUSES)
        self._closing.callback(self._runs.close)

    def _environment(
        self, folder: Path, rabbitmq: RabbitMq, address: str, port: int, log_port: int
    ) -> Mapping[str, str]:
        vhost = f"airflow-{secrets.token_hex(3)}"
        rabbitmq.api("PUT", f"vhosts/{vhost}")
        settings = {
            "CORE__EXECUTOR": "CeleryExecutor",
            "CORE__PARALLELISM": "1000",
            "CORE__DAGS_FOLDER": str(folder / "dags"),
            "CORE__LOAD_EXAMPLES": "false",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
            "CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "API__BASE_URL": f"http://127.0.0.1:{port}",
            "API__SECRET_KEY": secrets.token_hex(32),
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "DATABASE__SQL_ALCHEMY_CONN": address.replace("postgresql:", "postgresql+psycopg2:"),
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
            "CELERY__BROKER_URL": rabbitmq.url.replace("amqp://", f"pyamqp://tests:{rabbitmq.password}@")
            + f"/{vhost}",
            "CELERY__RESULT_BACKEND": address.replace("postgresql:", "db+postgresql+psycopg2:"),
            "LOGGING__WORKER_LOG_SERVER_PORT": str(log_port),
        }
        return {
            **os.environ,
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(folder / "airflow"),
            **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        }

    def do(self, work: str) -> None:
        """One DAG run."""
        if work not in DAG_IDS:
            raise NotImplementedError(work)
        self._wait([self._submit(work)])

    def do_many(self, count: int) -> None:
        """So many DAG runs, submitted by eight clients."""
        with ThreadPoolExecutor(SUBMITTERS) as clients:
            runs = list(clients.map(lambda _: self._submit("one_op"), range(count)))
        self._wait(runs)

    def close(self) -> None:
        """End its five processes."""
        self._closing.close()

    def _submit(self, work: str) -> str:
        run_id = secrets.token_hex(8)
        body = {"dag_run_id": run_id, "logical_date": None}
        self._api.post(f"/api/v2/dags/{work}/dagRuns", json=body).raise_for_status()
        return run_id

    def _wait(self, run_ids: list[str]) -> None:
        ended = self._runs.wait(run_ids, RUN_SECONDS)
        bad = [f"{run_id} {status}" for run_id, status in ended.items() if status != "success"]
        if bad or len(ended) != len(run_ids):
            raise SideError(f"{len(bad)} of {len(run_ids)} DAG runs did not succeed: {', '.join(bad[:3])}")

    def _answers(self) -> bool:
        try:
            return self._api.get("/api/v2/version").status_code == 200
        except httpx.HTTPError:
            return False

    def _has_dags(self) -> bool:
        found = self._api.get("/api/v2/dags").raise_for_status().json()["dags"]
        return {each["dag_id"] for each in found if not each["is_paused"]} >= set(DAG_IDS)


def _run(command: list[str | Path], environment: Mapping[str, str], folder: Path) -> None:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=dict(environment), cwd=folder
    )
    if done.returncode != 0:
        raise SideError(f"{Path(command[0]).name} {command[1]}: {done.stderr[-2000:]}")
