"""The command line as a person has it: typed, in a process of its own, with its words and its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.folders import open_folder
from typed_commands import Phems, type_command


@pytest.fixture
def phems() -> Phems:
    """Type a command."""
    return type_command


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a node: short enough for sockets, open to Postgres's account."""
    with open_folder() as place:
        yield place
