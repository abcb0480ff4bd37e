"""Commands as a person types them, in a process of their own, and a small node for them to be typed at."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

DATA_OF_ROOT = ("dac_override", "dac_read_search")


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    def is_clear(self, code: int, *words: str) -> None:
        """A clear error: the exit code, what, why and remedy, the names that matter, and no traceback."""
        told = f"exit {self.code}\n{self.out}\n{self.err}"
        assert self.code == code, told
        assert "Traceback" not in told, told
        for label in ("Error: ", "Remedy: "):
            assert label in self.err, told
        for word in words:
            assert word in self.err, f"{word!r} is missing in: {told}"


Phems = Callable[..., Said]


def command(folder: Path, *words: str) -> list[str]:
    """The command line that a person types in `folder`."""
    return [sys.executable, "-m", "phems.cli", "--node", str(folder), *words]


def environment() -> dict[str, str]:
    """A person's environment, without what the tests' own has."""
    kept = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"COLUMNS": "200"}


def type_command(folder: Path, *words: str, seconds: float = 90, without_root: bool = False) -> Said:
    """Type a command; gives what it said. `without_root` takes root's right to ignore permissions away."""
    line: Sequence[str] = command(folder, *words)
    if without_root and os.getuid() == 0:
        dropped = ",".join(f"-{name}" for name in DATA_OF_ROOT)
        line = ["setpriv", f"--inh-caps={dropped}", f"--bounding-set={dropped}", *line]
    done = subprocess.run(
        line, env=environment(), capture_output=True, text=True, timeout=seconds, check=False, cwd="/"
    )
    return Said(done.returncode, done.stdout, done.stderr)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_spec(node: Path, **changes: Any) -> None:
    """A small node.yaml that is right but for `changes` (a key that is None is left out)."""
    spec: dict[str, Any] = {
        "version": 1,
        "node": {"name": "small"},
        "controller": {"name": "Small Hospital"},
        "gateway": {"port": free_port()},
        "projects": {},
        **changes,
    }
    node.mkdir(parents=True, exist_ok=True)
    (node / "node.yaml").write_text(json.dumps({k: v for k, v in spec.items() if v is not None}, indent=2))


def project(repo: Path | str, **code: str) -> dict[str, Any]:
    """A project of the spec with its Code Repo at `repo`."""
    return {
        "code": {"repo": str(repo), "module": "small.definitions", **code},
        "members": {
            "data_analyst": ["ana"],
            "output_checker": ["carol", "dmitri"],
            "information_asset_owner": ["wei"],
        },
    }


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that have to do with a folder: Postgres, sandboxes, the node."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        line = process.info["cmdline"] or ()
        if process.info["pid"] != os.getpid() and any(str(folder) in part for part in line):
            found.append(" ".join(line))
    return found


def everything_below(folder: Path) -> list[str]:
    """All files and folders, to compare before and after."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
