"""The bubblewrap sandbox: no network, no other project, no file but what is mounted here.

All namespaces are the host's own; the file system is empty but for the system's libraries, the
project's Python, its approved code and its granted data sources (all read-only), its artifact area,
a private `/tmp`, and two sockets: the storage service's, and its code server's own folder.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

from phems.adapters.sandbox import host_process, walls
from phems.adapters.sandbox.environment import interpreter, python_folders
from phems.adapters.sandbox.orders import Places, order_for
from phems.adapters.sandbox.system_calls import filter_program
from phems.adapters.sandbox.walls import find
from phems.engine.sandbox import HostPlan, HostProcess
from phems.errors import UnavailableError

__all__ = ["BubblewrapSandbox", "arguments", "find"]

CODE = "/code"
ARTIFACTS = "/artifacts"
DATA = "/data"
FETCHED = "/fetched"
HOST = "/run/phems/host"
STORAGE = "/run/phems/storage.sock"
CAPABILITY = "/run/phems/capability"


def _source_path(name: str, path: Path) -> str:
    return f"{DATA}/{name}{path.suffix}"


PLACES = Places(
    code=CODE,
    host_dir=HOST,
    artifact_dir=ARTIFACTS,
    data_dir=DATA,
    storage_socket=STORAGE,
    capability_dir=CAPABILITY,
    source=_source_path,
    fetched_dir=FETCHED,
)


class BubblewrapSandbox:
    """Starts project hosts under bubblewrap; see `engine.sandbox.SandboxLauncher`."""

    is_isolating = True

    def __init__(self, bwrap: str) -> None:
        self._bwrap = bwrap
        self._namespaces = walls.namespaces(bwrap)

    def describe(self) -> str:
        """One line for people."""
        words = ["no network", "own namespaces", "read-only code and data", "kernel limits"]
        if self._namespaces == walls.CLOSED_NAMESPACES:
            words[1] += ", none inside"
        if filter_program(platform.machine()) is not None:
            words.append("fewer system calls")
        return f"bubblewrap: {', '.join(words)}"

    def prepare(self, plan: HostPlan) -> None:
        """Nothing: a sandbox is made when it is started."""

    def start(self, plan: HostPlan) -> HostProcess:
        """Start one host in a sandbox of its own."""
        python = interpreter(plan.python)
        with walls.filter_file() as filter_fd:
            withheld = ["--seccomp", str(filter_fd)] if filter_fd is not None else []
            return host_process.start(
                lambda fd: [
                    self._bwrap,
                    *withheld,
                    *arguments(plan, python, self._namespaces),
                    str(python),
                    "-m",
                    "phems.host",
                    str(fd),
                ],
                order_for(plan, PLACES),
                plan.log_file,
                environment={},
                inherit=[filter_fd] if filter_fd is not None else [],
            )


def arguments(plan: HostPlan, python: Path, namespaces: Sequence[str] = walls.CLOSED_NAMESPACES) -> list[str]:
    """bubblewrap's arguments for a host: pure, so that a test can read them."""
    for shown in (*map(Path, walls.SYSTEM), *python_folders(python)):
        _check_outside(plan, shown)
    mounts = walls.system_mounts(python_folders(python))
    mounts += ["--ro-bind", str(plan.code_dir), CODE]
    mounts += ["--bind", str(plan.artifact_dir), ARTIFACTS]
    if plan.fetched_dir is not None:
        mounts += ["--ro-bind", str(plan.fetched_dir), FETCHED]
    mounts += ["--dir", DATA]
    for name, (path, _kind) in plan.sources.items():
        mounts += ["--ro-bind", str(path), _source_path(name, path)]
    mounts += ["--bind", str(plan.host_dir), HOST]
    mounts += ["--ro-bind", str(plan.capability_file.parent), CAPABILITY]
    mounts += ["--ro-bind", str(plan.storage_socket), STORAGE]
    return walls.enclosed(mounts, folder=CODE, namespaces=namespaces)


def _check_outside(plan: HostPlan, folder: Path) -> None:
    """A folder around the node's own ones would show them all, mounted read-only or not."""
    kept = (plan.artifact_dir, plan.code_dir, plan.capability_file, *filter(None, [plan.fetched_dir]))
    if any(path.resolve().is_relative_to(folder.resolve()) for path in kept):
        raise UnavailableError(
            f"The host of project {plan.project} cannot be walled off.",
            why=f"Project code needs to see {folder}, and the node keeps its data below that folder.",
            remedy="Put data_dir, or the Python environment, somewhere else.",
        )
