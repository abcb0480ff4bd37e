"""A running node for the whole session, and a door in front of a tiny application for the rest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from door_site import Site, start_site
from small_node import SmallNode, start_small_node


@pytest.fixture(scope="session")
def node() -> Iterator[SmallNode]:
    """The whole node: Postgres, sandboxed project hosts, daemons, gateway."""
    folder = Path(tempfile.mkdtemp(prefix="phems-"))
    try:
        running = start_small_node(folder)
        yield running
        running.serving.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The door alone."""
    started = start_site()
    yield started
    started.server.stop()
