"""A running node for the whole session, and a door in front of a tiny application for the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from door_site import Site, start_site
from small_node import SmallNode, start_small_node
from tests.collector import Collector, trace_collector
from tests.folders import open_folder


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """Who takes the node's spans."""
    with trace_collector() as taken:
        yield taken


@pytest.fixture(scope="package")
def node(collector: Collector) -> Iterator[SmallNode]:
    """The whole node: Postgres, sandboxed project hosts, daemons, gateway."""
    with open_folder() as folder:
        running = start_small_node(folder, collector.port)
        yield running
        running.serving.stop()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The door alone."""
    started = start_site()
    yield started
    started.server.stop()
