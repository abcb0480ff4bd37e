"""The process of a project's MLflow server: a sandbox without network, of which one Unix socket comes out.

Without bubblewrap it is a bare process, as project code then is: see `phems.bootstrap.control_plane`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from sqlalchemy import URL

from phems.adapters.sandbox import walls
from phems.adapters.sandbox.environment import BASE_ENVIRONMENT, interpreter, python_folders
from phems.contract.mlflow import FILE_SCHEME, FILE_SOCKET
from phems.errors import InputError, UnavailableError

EXTRA = "mlflow"
SOCKET = "http.sock"
RUN, ARTIFACTS, DATABASE = "/run/mlflow", "/artifacts", "/database"


@dataclass(frozen=True)
class ServerPlan:
    """What one server is to be; paths are this machine's."""

    project: str
    prefix: str
    run_dir: Path
    """Where its socket lies: nobody but the node may enter."""
    artifacts: Path
    """Where its files lie, or the socket of its way to them, when `has_file_door`."""
    database_dir: Path
    """Where the socket of its way to Postgres lies."""
    database: URL
    """The address of its schema, without the folder of that socket."""
    log_file: Path
    has_file_door: bool = False
    needs_sandbox: bool = False

    @property
    def socket(self) -> Path:
        """Where it answers."""
        return self.run_dir / SOCKET


def check_installed(project: str) -> None:
    """Raise `InputError`, which names the extra, when this Python has no MLflow. It is not imported."""
    try:
        distribution(EXTRA)
    except PackageNotFoundError:
        raise InputError(
            f"projects.{project}.mlflow is on, and MLflow is not installed.",
            why="it is an optional part of phems-node: the extra mlflow.",
            remedy=f"pip install 'phems-node[{EXTRA}]', or take mlflow out of the project in node.yaml.",
        ) from None


class ServerProcess:
    """A started server. Start it in the thread that outlives it: the kernel ends it with that thread."""

    def __init__(self, plan: ServerPlan) -> None:
        check_installed(plan.project)
        bwrap = walls.find()
        if bwrap is None and plan.needs_sandbox:
            raise UnavailableError(
                f"The MLflow server of project {plan.project} needs a sandbox, and none can be made here.",
                why="bubblewrap is not installed, or this user may not make namespaces.",
                remedy="As root: apt-get install bubblewrap. On a cluster: control.namespaces and "
                "namespaces of the pool's workers, in the chart's values",
            )
        plan.log_file.parent.mkdir(parents=True, exist_ok=True)
        plan.socket.unlink(missing_ok=True)
        python = interpreter(None)
        server = [str(python), "-I", "-m", "phems.mlflow_server"]
        with walls.filter_file() as filter_fd, plan.log_file.open("wb") as log:
            command = server
            if bwrap is not None:
                withheld = [] if filter_fd is None else ["--seccomp", str(filter_fd)]
                command = [bwrap, *withheld, *arguments(plan, python, bwrap), *server]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={} if bwrap is not None else dict(BASE_ENVIRONMENT),
                pass_fds=() if filter_fd is None else (filter_fd,),
                start_new_session=True,
            )
        assert self._process.stdin is not None  # noqa: S101 (it is a pipe)
        # Not among its arguments, which others on this machine can read: the address has a password.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(_order(plan, is_walled=bwrap is not None)).encode() + b"\n")
            self._process.stdin.flush()
        self._plan = plan

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(self._plan.socket))
        except OSError:
            return False
        return True

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """End it, and all of its sandbox."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._plan.socket.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._plan.log_file.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing."


def _order(plan: ServerPlan, *, is_walled: bool) -> dict[str, str]:
    """What the server is told, with every path as it sees it."""
    run, artifacts, database = RUN, ARTIFACTS, DATABASE
    if not is_walled:
        run, artifacts, database = str(plan.run_dir), str(plan.artifacts), str(plan.database_dir)
    address = plan.database.update_query_dict({"host": database})
    return {
        "database": address.render_as_string(hide_password=False),
        "artifacts": f"{FILE_SCHEME}://{artifacts}/{FILE_SOCKET}" if plan.has_file_door else artifacts,
        "prefix": plan.prefix,
        "socket": f"{run}/{SOCKET}",
    }


def arguments(plan: ServerPlan, python: Path, bwrap: str) -> list[str]:
    """bubblewrap's arguments for a server."""
    mounts = walls.system_mounts(python_folders(python))
    mounts += ["--bind", str(plan.run_dir), RUN]
    mounts += ["--bind", str(plan.artifacts), ARTIFACTS]
    mounts += ["--ro-bind", str(plan.database_dir), DATABASE]
    return walls.enclosed(mounts, folder="/tmp", namespaces=walls.namespaces(bwrap))  # noqa: S108 - inside
