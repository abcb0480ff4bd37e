"""A node of profile server with nothing wrong: what a test breaks is all that the doctor finds."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.broker.server_node import ServerNode
from tests.rabbitmq import RabbitMq

from phems.adapters.postgres.database import Database

PROJECT = "heart-attack"


@pytest.fixture
def node(database: Database, rabbitmq: RabbitMq, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerNode]:
    """A node with one project whose code is there."""
    with tempfile.TemporaryDirectory(prefix="phems-") as folder:
        made = ServerNode(Path(folder) / "node", database, rabbitmq, f"node-{secrets.token_hex(4)}")
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        _write_repo(Path(folder) / "node" / "code" / PROJECT)
        made.add_project(PROJECT)
        made.init()
        yield made


def _write_repo(repo: Path) -> None:
    module = repo / "src" / "small" / "definitions.py"
    module.parent.mkdir(parents=True)
    module.write_text("import dagster as dg\n\ndefs = dg.Definitions()\n")
    who = ["-c", "user.name=Ana", "-c", "user.email=ana@hospital.example"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", "-C", str(repo), *words], check=True, capture_output=True)
