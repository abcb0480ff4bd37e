"""The session's server node (see tests/conftest.py): what is harmed in a test is mended in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.nodes import RunningNode, succeeded
from tests.server_fixtures import collector, server_database, server_node, server_node_site
from tests.server_nodes import ServerSite

__all__ = ["collector", "mended", "server_database", "server_node", "server_node_site"]


@pytest.fixture(autouse=True)
def mended(server_node: RunningNode, server_node_site: ServerSite) -> Iterator[None]:
    """After each test the node is whole: a run goes through it."""
    yield
    run = server_node.run("diamond", seconds=90)
    assert succeeded(run), server_node.story(run.run_id) + server_node_site.worker_log()
