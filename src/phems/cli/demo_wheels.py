"""Two versions of one library, as wheels: the demo builds them itself, so that it needs no network.

The library is the example hospital's own, and small (`examples/hospital/libraries`).
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from phems.errors import UnavailableError

LIBRARY = "saint-alder-rounding"
LOCKED: Mapping[str, str] = {"length-of-stay": "1.0.0", "tumour-grade": "2.0.0"}
"""The projects that lock it, and in which version."""


def build_wheels(libraries: Path, wheels: Path) -> Callable[[], dict[str, str]]:
    """Begin to build a wheel of each version; what is returned waits for them, and gives their lines."""
    wheels.mkdir(parents=True, exist_ok=True)  # of two builders that both make it, one fails
    builds = [
        subprocess.Popen(
            [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for folder in sorted(libraries.iterdir())
    ]

    def built() -> dict[str, str]:
        for build in builds:
            _, said = build.communicate()
            if build.returncode:
                raise UnavailableError(
                    "The demo's library could not be built.",
                    why=said.decode(errors="replace")[-800:],
                    remedy="Set the checkout up anew: make demo",
                )
        return {version: _lock_line(wheels, version) for version in LOCKED.values()}

    return built


def _lock_line(wheels: Path, version: str) -> str:
    (wheel,) = wheels.glob(f"{LIBRARY.replace('-', '_')}-{version}-*.whl")
    return f"{LIBRARY}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
