"""A node of profile server, and projects in it."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.broker.server_node import PROJECTS, ServerNode
from tests.rabbitmq import RabbitMq

from phems.adapters.postgres.database import Database


@pytest.fixture
def node(database: Database, rabbitmq: RabbitMq, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerNode]:
    """A node with two projects; no other has its name, for all share the broker."""
    with tempfile.TemporaryDirectory(prefix="phems-") as folder:
        made = ServerNode(Path(folder) / "node", database, rabbitmq, f"node-{secrets.token_hex(4)}")
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        for project in PROJECTS:
            made.add_project(project)
        yield made
