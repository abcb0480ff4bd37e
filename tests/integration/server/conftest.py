"""The package's server node (see tests/server_fixtures.py)."""

from __future__ import annotations

from tests.server_fixtures import collector, server_database, server_node, server_node_site

__all__ = ["collector", "server_database", "server_node", "server_node_site"]
