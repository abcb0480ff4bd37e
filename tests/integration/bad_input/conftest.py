"""The command line as a person has it: typed, in a process of its own, with its words and its exit code."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typed_commands import Phems, type_command


@pytest.fixture
def phems() -> Phems:
    """Type a command."""
    return type_command


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a node: short enough for sockets, open to Postgres's account."""
    place = Path(tempfile.mkdtemp(prefix="phems-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)
