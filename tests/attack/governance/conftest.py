"""A node's governance without its engine: real Postgres, folders and keys, wired as a node wires them."""

from __future__ import annotations

from pathlib import Path

import pytest
from release_node import ReleaseNode, write_node
from tests.integration.conftest import database, postgres_server

from phems.adapters.postgres.database import Database

__all__ = ["database", "node", "postgres_server"]


@pytest.fixture
def node(tmp_path: Path, database: Database) -> ReleaseNode:
    """A node with one project, an analyst and two checkers."""
    write_node(tmp_path / "node")
    return ReleaseNode(tmp_path / "node", database)
