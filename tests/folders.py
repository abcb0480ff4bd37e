"""Folders for nodes of tests: pytest's own have long paths, and let no other account through."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_folder(prefix: str = "phems-") -> Iterator[Path]:
    """A folder that Postgres's own account may pass through, with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def copy_whole(source: Path, target: Path) -> None:
    """Copy a folder with its owners and modes, which Postgres looks at."""
    subprocess.run(["cp", "--archive", "--reflink=auto", source, target], check=True)
