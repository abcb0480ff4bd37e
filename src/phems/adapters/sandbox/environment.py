"""What a project host's process environment and Python are, in every kind of sandbox."""

from __future__ import annotations

import sys
from pathlib import Path

import phems
from phems.contract.process_environment import PROCESS_ENVIRONMENT
from phems.errors import InputError

# One thread per numeric library and step: steps run side by side, and a fork must not meet busy pools.
BASE_ENVIRONMENT: dict[str, str] = {
    **PROCESS_ENVIRONMENT,
    "PATH": "/usr/bin:/bin",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    "GRPC_VERBOSITY": "ERROR",
}


def interpreter(python: Path | None) -> Path:
    """The Python of a project's own environment; the node's own where none is named."""
    path = python or Path(sys.executable)
    if not path.exists():
        raise InputError(
            f"environment.python: {path} does not exist.",
            why="The node spec names it as the project's interpreter.",
            remedy="Make the environment, or leave the key out to use the node's own.",
        )
    return path


def python_folders(python: Path) -> list[Path]:
    """The folders that an interpreter needs to see: its environment, its installation, our package.

    They are read from `pyvenv.cfg`, never by running the interpreter: it is the project's.
    """
    prefix = python.parent.parent
    folders = [prefix]
    config = prefix / "pyvenv.cfg"
    if config.exists():
        for line in config.read_text().splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "home":
                folders.append(Path(value.strip()).resolve().parent)
            elif key.strip() == "phems-wall":  # an environment that the node built: what the node brings
                folders.append((prefix / value.strip()).resolve())
    else:
        folders = [python.resolve().parent.parent]
    folders.append(python.resolve().parent.parent)
    source = Path(phems.__file__).resolve().parent.parent
    if prefix == Path(sys.prefix) and not source.is_relative_to(prefix):
        folders.append(source)  # the node runs from a checkout
    return [folder for folder in dict.fromkeys(folders) if not folder.is_relative_to("/usr")]
