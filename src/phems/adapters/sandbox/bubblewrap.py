"""The bubblewrap sandbox: no network, no other project, no file but what is mounted here.

All namespaces are the host's own; the file system is empty but for the system's libraries, the
project's Python, its approved code and its granted data sources (all read-only), its artifact area,
a private `/tmp`, and two sockets: the storage service's, and its code server's own folder.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from phems.adapters.sandbox import host_process
from phems.adapters.sandbox.environment import BASE_ENVIRONMENT, interpreter, python_folders
from phems.adapters.sandbox.orders import Places, order_for
from phems.adapters.sandbox.system_calls import filter_program
from phems.engine.sandbox import HostPlan, HostProcess
from phems.errors import UnavailableError

CODE = "/code"
ARTIFACTS = "/artifacts"
DATA = "/data"
HOST = "/run/phems/host"
STORAGE = "/run/phems/storage.sock"
CAPABILITY = "/run/phems/capability"
TMP_BYTES = 1 << 30
SHARED_MEMORY_BYTES = 1 << 28

# With `--disable-userns` no user namespace can be made inside, in which a process would have capabilities
# again; bubblewrap has it since 0.8, and not every container lets it.
_CLOSED_NAMESPACES = ("--unshare-all", "--unshare-user", "--disable-userns")
_NAMESPACES = ("--unshare-all",)

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/mime.types")


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
)


def find() -> str | None:
    """The path of bubblewrap, when it is installed and this user may use it."""
    path = shutil.which("bwrap")
    return path if path is not None and _namespaces(path) else None


def _namespaces(bwrap: str) -> Sequence[str]:
    """The arguments for the strictest namespaces that work here; none when none do."""
    for namespaces in (_CLOSED_NAMESPACES, _NAMESPACES):
        trial = [bwrap, *namespaces, "--ro-bind", "/", "/", "true"]
        if subprocess.run(trial, capture_output=True, check=False, timeout=30).returncode == 0:
            return namespaces
    return ()


class BubblewrapSandbox:
    """Starts project hosts under bubblewrap; see `engine.sandbox.SandboxLauncher`."""

    is_isolating = True

    def __init__(self, bwrap: str) -> None:
        self._bwrap = bwrap
        self._namespaces = _namespaces(bwrap)

    def describe(self) -> str:
        """One line for people."""
        words = ["no network", "own namespaces", "read-only code and data", "kernel limits"]
        if self._namespaces == _CLOSED_NAMESPACES:
            words[1] += ", none inside"
        if filter_program(platform.machine()) is not None:
            words.append("fewer system calls")
        return f"bubblewrap: {', '.join(words)}"

    def start(self, plan: HostPlan) -> HostProcess:
        """Start one host in a sandbox of its own."""
        python = interpreter(plan.python)
        with _filter_file() as filter_fd:
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


@contextmanager
def _filter_file() -> Iterator[int | None]:
    """The filter of system calls as a file in memory; None on a machine that has none."""
    program = filter_program(platform.machine())
    if program is None:
        yield None
        return
    with os.fdopen(os.memfd_create("system-calls"), "w+b", buffering=0) as file:
        file.write(program)
        file.seek(0)
        yield file.fileno()


def arguments(plan: HostPlan, python: Path, namespaces: Sequence[str] = _CLOSED_NAMESPACES) -> list[str]:
    """bubblewrap's arguments for a host: pure, so that a test can read them."""
    mounts: list[str] = []
    for shown in (*map(Path, _SYSTEM), *python_folders(python)):
        _check_outside(plan, shown)
    for folder in _SYSTEM:
        mounts += _system_mount(Path(folder))
    for name in _SYSTEM_FILES:
        mounts += ["--ro-bind-try", name, name]
    for folder_path in python_folders(python):
        mounts += ["--ro-bind", str(folder_path), str(folder_path)]
    mounts += ["--ro-bind", str(plan.code_dir), CODE]
    mounts += ["--bind", str(plan.artifact_dir), ARTIFACTS]
    mounts += ["--dir", DATA]
    for name, (path, _kind) in plan.sources.items():
        mounts += ["--ro-bind", str(path), _source_path(name, path)]
    mounts += ["--bind", str(plan.host_dir), HOST]
    mounts += ["--ro-bind", str(plan.capability_file.parent), CAPABILITY]
    mounts += ["--ro-bind", str(plan.storage_socket), STORAGE]
    environment: list[str] = []
    for key, value in BASE_ENVIRONMENT.items():
        environment += ["--setenv", key, value]
    return [
        *namespaces,
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--hostname",
        "phems",
        "--clearenv",
        *environment,
        "--proc",
        "/proc",
        # Started as root, the host is still root to /proc/sys, which asks for no capability.
        "--remount-ro",
        "/proc",
        "--dev",
        "/dev",
        "--size",
        str(SHARED_MEMORY_BYTES),
        "--tmpfs",
        "/dev/shm",  # noqa: S108 - inside the sandbox
        "--remount-ro",
        "/dev",
        "--size",
        str(TMP_BYTES),
        "--tmpfs",
        "/tmp",  # noqa: S108 - inside the sandbox
        *mounts,
        "--remount-ro",
        "/",
        "--chdir",
        CODE,
        "--",
    ]


def _check_outside(plan: HostPlan, folder: Path) -> None:
    """A folder around the node's own ones would show them all, mounted read-only or not."""
    kept = (plan.artifact_dir, plan.code_dir, plan.capability_file)
    if any(path.resolve().is_relative_to(folder.resolve()) for path in kept):
        raise UnavailableError(
            f"The host of project {plan.project} cannot be walled off.",
            why=f"Project code needs to see {folder}, and the node keeps its data below that folder.",
            remedy="Put data_dir, or the Python environment, somewhere else.",
        )


def _system_mount(folder: Path) -> Sequence[str]:
    # On merged-/usr systems /lib and its like are links: keep them links.
    if folder.is_symlink():
        return ["--symlink", str(folder.readlink()), str(folder)]
    return ["--ro-bind-try", str(folder), str(folder)]
