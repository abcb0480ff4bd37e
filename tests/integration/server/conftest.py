"""One node of the profile `server` for a module's tests: its own Postgres, the session's RabbitMQ, one worker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.engine.conftest import SHAPES
from tests.nodes import RunningNode, running_node
from tests.rabbitmq import RabbitMq
from tests.server_nodes import ServerSite, server_site

from phems.adapters.postgres.database import Database, open_embedded


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Database]:
    """A Postgres that is no node's own, to be stopped and started by the module's tests."""
    folder = Path(tempfile.mkdtemp(prefix="phems-"))
    folder.chmod(0o755)
    with open_embedded(
        data=folder / "postgres", keys=folder / "keys", runtime_dir=folder / "run", start=True
    ) as database:
        yield database
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def site(elsewhere: Database, rabbitmq: RabbitMq) -> Iterator[ServerSite]:
    """A Node Repo with the job shapes on these services."""
    folder = Path(tempfile.mkdtemp(prefix="phems-"))
    folder.chmod(0o755)
    with server_site(folder, elsewhere, rabbitmq) as site:
        site.add_project("shapes", SHAPES, code={"repo": "../shapes-code", "module": "shapes.definitions"})
        yield site
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def node(site: ServerSite, rabbitmq: RabbitMq) -> Iterator[RunningNode]:
    """Its control process, and one worker."""
    with running_node(site) as node:
        node.approve("shapes")
        node.ready("shapes")
        site.phems("broker", "init", PHEMS_BROKER_ADMIN=rabbitmq.admin_url)
        site.start_worker()
        yield node
        site.stop_workers()
