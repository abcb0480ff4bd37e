"""A peer's own environment: made by the bench from `requirements/peers-NAME.txt`, beside the node's.

Their libraries would hold back those of the node, and whoever only runs the tests has no need of them.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
ENVIRONMENTS = Path(sys.prefix) / "peers"


class NotMeasuredError(Exception):
    """A peer cannot be had on this machine; the text says why and goes into the report."""


def programs_of(name: str) -> Path:
    """The folder with a peer's programs; installs it when its requirements are not those installed."""
    requirements = REQUIREMENTS / f"peers-{name}.txt"
    folder = ENVIRONMENTS / name
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        venv.create(folder, clear=True)
        uv = Path(sys.executable).with_name("uv")
        command = [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--python", folder / "bin" / "python"]
        done = subprocess.run(
            [*command, "--require-hashes", requirements], check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise NotMeasuredError(f"{name} is not installed: {done.stderr.strip().splitlines()[-1]}")
        installed.write_text(requirements.read_text())
    return folder / "bin"


def version_of(programs: Path, package: str) -> str:
    """Which version of a package an environment has."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([programs / "python", "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()
