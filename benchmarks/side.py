"""A running side of the comparison, as the measuring parts see it: a web server, a database, processes."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.graphql import GraphQLClient
from benchmarks.process_group import ProcessGroup
from benchmarks.run_table import RunTable

READY_SECONDS = 180.0
SETTLE_SECONDS = 60.0


class SideError(Exception):
    """A side could not be started, or did not do its work; `details` holds the last words of its logs."""

    def __init__(self, what: str, details: str = "") -> None:
        super().__init__(what)
        self.details = details


@dataclass
class Side:
    """Started and ready; `close` ends every process of it."""

    name: str
    location: str
    client: GraphQLClient
    runs: RunTable
    group: ProcessGroup
    address: str = ""
    """That of Dagster's database."""
    closing: ExitStack = field(default_factory=ExitStack)
    remark: str = ""

    def settle(self, before: set[int], seconds: float = SETTLE_SECONDS) -> bool:
        """Wait until no process is left that was not there `before`; False when one stays.

        Stock Dagster's run process works on for about a second after it has reported success: what it
        spends there belongs to its run, and what comes next should not be slowed by it. Servers of
        Postgres do not count: both sides' pools keep some for later.
        """
        deadline = time.monotonic() + seconds
        while True:
            new = {pid for pid in self.group.pids() - before if not _is_postgres(pid)}
            if not new:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)

    def close(self) -> None:
        """End it."""
        self.closing.close()


def start_process(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    """Start a long-running program, its output in a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=folder,
        )


def end_process(process: subprocess.Popen[bytes], seconds: float = 20.0) -> None:
    """Ask it to end, and end it by force when it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise SideError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.05)


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def log_tails(folder: Path, lines: int = 15) -> str:
    """The last words of every log in a folder, for an error's text."""
    tails = []
    for log in sorted(folder.glob("*.log")):
        text = log.read_text(errors="replace").splitlines()[-lines:]
        tails.append(f"--- {log.name}\n" + "\n".join(text))
    return "\n".join(tails)


def _is_postgres(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "comm").read_text().startswith("postgres")
    except OSError:
        return True  # it has ended meanwhile
