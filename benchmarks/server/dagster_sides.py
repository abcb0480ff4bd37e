"""The two that speak Dagster: a node of the profile `server`, and stock Dagster with dagster-celery.

Both have the same RabbitMQ, a Postgres of the same binary, the same jobs, and four steps at once.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tests.rabbitmq import RabbitMq

from benchmarks.node import BENCH, HERE, PHEMS, make_repo, start_node
from benchmarks.process_group import ProcessGroup
from benchmarks.server.works import FANOUT
from benchmarks.side import Side, SideError, end_process, start_process
from benchmarks.stock import CodeLocation, start_stock
from phems.adapters.postgres.database import open_embedded

RUN_SECONDS = 900.0
SUBMITTERS = 8
STEPS_AT_ONCE = 4
JOBS: Mapping[str, str] = {
    "one_op": "one_op",
    "fanout": "fanout",
    "chain": "chain",
    "events": "talking",
    "artifact": "artifact",
}


@dataclass
class DagsterPeer:
    """See `works.Peer`."""

    title: str
    side: Side
    execution: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()
    fanout_widths: Sequence[int] = ()

    def do(self, work: str) -> None:
        """One run."""
        self._wait([self._launch(work)])

    def fan_out(self, width: int) -> None:
        """A fan-out of another width."""
        self._wait([self._launch("fanout", width)])

    def do_many(self, count: int) -> None:
        """So many runs, submitted by eight clients."""
        with ThreadPoolExecutor(SUBMITTERS) as clients:
            runs = list(clients.map(lambda _: self._launch("one_op"), range(count)))
        self._wait(runs)

    def close(self) -> None:
        """End it."""
        self.side.close()

    def _launch(self, work: str, width: int = FANOUT) -> str:
        run_config: dict[str, Any] = {}
        if work == "fanout":
            run_config["ops"] = {"spread": {"config": {"width": width}}}
        if self.execution is not None:
            run_config["execution"] = {"config": dict(self.execution)}
        return self.side.client.launch(self.side.location, JOBS[work], run_config)

    def _wait(self, run_ids: list[str]) -> None:
        ended = self.side.runs.wait(run_ids, RUN_SECONDS)
        bad = [f"{run_id} {status}" for run_id, status in ended.items() if status != "SUCCESS"]
        if bad or len(ended) != len(run_ids):
            raise SideError(f"{len(bad)} of {len(run_ids)} runs did not succeed: {', '.join(bad[:3])}")


def start_server_node(rabbitmq: RabbitMq) -> DagsterPeer:
    """A node with one control process and one worker, everything of it switched on."""
    closing = ExitStack()
    folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="phems-bench-")))
    folder.chmod(0o755)
    try:
        database = closing.enter_context(
            open_embedded(
                data=folder / "postgres", keys=folder / "keys", runtime_dir=folder / "run", start=True
            )
        )
        address = database.address("admin").render_as_string(hide_password=False)

        def lay_out(inside: Path) -> Path:
            make_repo(HERE / "project", inside / "code" / "bench")
            node = inside / "node"
            keys = node / "data" / "keys"
            keys.mkdir(mode=0o700, parents=True)
            shutil.copy(folder / "keys" / "database.json", keys)  # the roles' passwords are these already
            document = YAML().load(HERE / "node.yaml")
            document |= {
                "profile": "server",
                "database": {"url": address},
                "broker": {"url": rabbitmq.url, "management": rabbitmq.management},
                "node": {"name": f"bench-{secrets.token_hex(3)}"},
            }
            document["projects"]["bench"]["queue"] = {"concurrency": STEPS_AT_ONCE, "runs": 100}
            with (node / "node.yaml").open("w") as stream:
                YAML().dump(document, stream)
            return node

        def beside(node: Path, group: ProcessGroup, stack: ExitStack) -> None:
            environment = {**os.environ, "PHEMS_BROKER_ADMIN": rabbitmq.admin_url}
            subprocess.run(
                [PHEMS, "broker", "init", "--node", node], check=True, capture_output=True, env=environment
            )
            command: list[str | Path] = [PHEMS, "serve", "--role", "worker", "--node", node]
            worker = start_process(command, node.parent / "logs" / "worker.log", os.environ, node)
            stack.callback(end_process, worker, 60.0)
            group.adopt(worker.pid)

        side = start_node(lay_out, BENCH, beside)
    except BaseException:
        closing.close()
        raise
    side.closing.callback(closing.close)
    notes = (
        "sign-in, admission, audit log, approved code, sandbox, signed step messages, everything switched on",
    )
    return DagsterPeer("PHEMS node, profile server", side, notes=notes)


def start_dagster_celery(rabbitmq: RabbitMq) -> DagsterPeer:
    """Stock Dagster with Celery as its documentation has it: a process for each run, `celery_executor`."""
    vhost = f"stock-{secrets.token_hex(3)}"
    rabbitmq.api("PUT", f"vhosts/{vhost}")
    broker = f"{rabbitmq.url.replace('amqp://', f'pyamqp://tests:{rabbitmq.password}@')}/{vhost}"
    config = Path(tempfile.mkdtemp(prefix="phems-bench-")) / "celery.yaml"
    config.write_text(f"execution:\n  config:\n    broker: '{broker}'\n    backend: 'rpc://'\n")
    worker = [
        *("dagster-celery", "worker", "start", "-A", "dagster_celery.app", "-y", config),
        *("--", f"--concurrency={STEPS_AT_ONCE}", "--loglevel=WARNING"),
    ]
    bench = CodeLocation("bench", HERE / "project" / "src", "bench.with_celery")
    side = start_stock([bench], queue="none", with_daemon=False, beside={"celery-worker": worker})
    side.closing.callback(shutil.rmtree, config.parent, ignore_errors=True)
    notes = ("no run queue, no sign-in, no sandbox: a process for each run, and one for each step",)
    return DagsterPeer("stock dagster-celery", side, {"broker": broker, "backend": "rpc://"}, notes)


def start_multiprocess(_: RabbitMq) -> DagsterPeer:
    """Stock Dagster with its own executor: a process for each run, and from it one for each step."""
    bench = CodeLocation("bench", HERE / "project" / "src", "bench.definitions")
    side = start_stock([bench], queue="none", with_daemon=False)
    notes = (
        "no broker, no run queue: each run has its own four steps at once, and 100 runs are 100 processes",
    )
    execution = {"multiprocess": {"max_concurrent": STEPS_AT_ONCE}}
    return DagsterPeer("stock multiprocess", side, execution, notes, fanout_widths=(4, 16))
