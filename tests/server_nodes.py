"""Nodes of the profile `server` for tests: a Postgres and a RabbitMQ elsewhere, workers as processes.

`ServerSite` is a `NodeSite` on those services; its control process is a `RunningNode`, as everywhere, and
more of them may run beside it. Workers are started as people start them: phems serve --role worker.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.nodes import NodeSite
from tests.rabbitmq import RabbitMq

from phems.adapters.postgres.database import Database

STOP_SECONDS = 60.0
STACKS_SECONDS = 10.0
PHEMS = Path(sys.executable).with_name("phems")
SHAPES = Path(__file__).parent / "integration" / "engine" / "shapes"


@dataclass
class ServerSite(NodeSite):
    """A Node Repo of the profile `server`."""

    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    controls: list[subprocess.Popen[bytes]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    """What further processes have in their environment beside this one's."""

    def stand_on(self, database: Database, rabbitmq: RabbitMq) -> None:
        """Use these services; the node's name makes its vhosts its own."""
        keys = self.node_folder / "data" / "keys"
        keys.mkdir(mode=0o700, parents=True)
        # The server has the node's roles already, with these passwords.
        (keys / "database.json").write_text(json.dumps(asdict(database.credentials)))
        (keys / "database.json").chmod(0o600)
        self.settings |= {
            "profile": "server",
            "node": {"name": self.folder.name.lower().replace("_", "-")},
            "database": {"url": database.address("admin").render_as_string(hide_password=False)},
            "broker": {"url": rabbitmq.url, "management": rabbitmq.management},
        }

    def phems(self, *arguments: str, **environment: str) -> str:
        """A command of the node's; gives what it prints."""
        done = subprocess.run(
            [str(PHEMS), *arguments],
            cwd=self.node_folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_worker(self, pool: str = "default") -> subprocess.Popen[bytes]:
        """A pool of workers in a process of its own; its log lies beside the node."""
        worker = self._serve("worker.log", "--role", "worker", "--pool", pool)
        self.workers.append(worker)
        return worker

    def start_control(self, port: int) -> subprocess.Popen[bytes]:
        """A further control process, in a process of its own."""
        (self.folder / "control.log").unlink(missing_ok=True)
        control = self._serve("control.log", "--port", str(port))
        self.controls.append(control)
        return control

    def worker_log(self) -> str:
        """What all workers had to say."""
        return _text(self.folder / "worker.log")

    def control_log(self) -> str:
        """What the last further control process had to say."""
        return _text(self.folder / "control.log")

    def stop_workers(self) -> None:
        """End every worker, as a service manager does."""
        _end_all(self.workers, self.worker_log)

    def stop_controls(self) -> None:
        """End every further control process."""
        _end_all(self.controls, self.control_log)

    def _serve(self, log_name: str, *options: str) -> subprocess.Popen[bytes]:
        with (self.folder / log_name).open("ab") as log:
            return subprocess.Popen(
                [str(PHEMS), "serve", *options],
                cwd=self.node_folder,
                # What does not end says where it stands: see `end`.
                env={**os.environ, "PYTHONFAULTHANDLER": "1", **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _text(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def _end_all(processes: list[subprocess.Popen[bytes]], log: Callable[[], str]) -> None:
    while processes:
        try:
            end(processes.pop())
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"It did not end. It said:\n{log()}") from error


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    """End a process and wait for it; what does not end tells its stacks and is killed with all it started."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STACKS_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


@contextmanager
def server_site(folder: Path, database: Database, rabbitmq: RabbitMq) -> Iterator[ServerSite]:
    """A site on these services; its workers end with the block."""
    site = ServerSite(folder)
    site.stand_on(database, rabbitmq)
    try:
        yield site
    finally:
        site.stop_controls()
        site.stop_workers()
