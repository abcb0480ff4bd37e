"""What every bubblewrap sandbox of the node has in common: namespaces, system folders, withheld calls."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from phems.adapters.sandbox.environment import BASE_ENVIRONMENT
from phems.adapters.sandbox.system_calls import filter_program

TMP_BYTES = 1 << 30
SHARED_MEMORY_BYTES = 1 << 28

# With `--disable-userns` no user namespace can be made inside, in which a process would have capabilities
# again; bubblewrap has it since 0.8, and not every container lets it.
CLOSED_NAMESPACES = ("--unshare-all", "--unshare-user", "--disable-userns")
NAMESPACES = ("--unshare-all",)

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/mime.types")


def find() -> str | None:
    """The path of bubblewrap, when it is installed and this user may use it."""
    path = shutil.which("bwrap")
    return path if path is not None and namespaces(path) else None


def namespaces(bwrap: str) -> Sequence[str]:
    """The arguments for the strictest namespaces that work here; none when none do."""
    for arguments in (CLOSED_NAMESPACES, NAMESPACES):
        trial = [bwrap, *arguments, "--ro-bind", "/", "/", "true"]
        if subprocess.run(trial, capture_output=True, check=False, timeout=30).returncode == 0:
            return arguments
    return ()


@contextmanager
def filter_file() -> Iterator[int | None]:
    """The filter of system calls as a file in memory; None on a machine that has none."""
    program = filter_program(platform.machine())
    if program is None:
        yield None
        return
    with os.fdopen(os.memfd_create("system-calls"), "w+b", buffering=0) as file:
        file.write(program)
        file.seek(0)
        yield file.fileno()


def system_mounts(python_folders: Sequence[Path]) -> list[str]:
    """The arguments that show the system's libraries and a Python, all read-only."""
    mounts: list[str] = []
    for folder in SYSTEM:
        mounts += _system_mount(Path(folder))
    for name in _SYSTEM_FILES:
        mounts += ["--ro-bind-try", name, name]
    for python_folder in python_folders:
        mounts += ["--ro-bind", str(python_folder), str(python_folder)]
    return mounts


def enclosed(mounts: Sequence[str], *, folder: str, namespaces: Sequence[str]) -> list[str]:
    """bubblewrap's arguments for a process in `folder` that sees `mounts` and nothing else."""
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
        # Started as root, the process is still root to /proc/sys, which asks for no capability.
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
        folder,
        "--",
    ]


def _system_mount(folder: Path) -> Sequence[str]:
    # On merged-/usr systems /lib and its like are links: keep them links.
    if folder.is_symlink():
        return ["--symlink", str(folder.readlink()), str(folder)]
    return ["--ro-bind-try", str(folder), str(folder)]
