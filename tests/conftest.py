"""What tests of every kind share: services that take long to start, one of each for a process of tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.nodes import RunningNode, running_node
from tests.rabbitmq import RabbitMq, running_rabbitmq
from tests.server_nodes import ServerSite, server_site

from phems.adapters.postgres.database import Database, open_embedded

SHAPES = Path(__file__).parent / "integration" / "engine" / "shapes"


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMq]:
    """A RabbitMQ. Who stops it starts it again: `with rabbitmq.stopped(): ...`."""
    with running_rabbitmq() as server:
        yield server


@pytest.fixture(scope="session")
def server_database() -> Iterator[Database]:
    """A Postgres that belongs to no node; killed, it comes again by itself."""
    with _short_folder() as folder:
        keys, runtime_dir = folder / "keys", folder / "run"
        with open_embedded(
            data=folder / "postgres", keys=keys, runtime_dir=runtime_dir, start=True
        ) as database:
            yield database


@pytest.fixture(scope="session")
def server_node_site(server_database: Database, rabbitmq: RabbitMq) -> Iterator[ServerSite]:
    """A Node Repo of the profile `server` with the job shapes."""
    with _short_folder() as folder, server_site(folder, server_database, rabbitmq) as site:
        site.add_project("shapes", SHAPES, code={"repo": "../shapes-code", "module": "shapes.definitions"})
        yield site


@pytest.fixture(scope="session")
def server_node(server_node_site: ServerSite, rabbitmq: RabbitMq) -> Iterator[RunningNode]:
    """Its control process, with the shapes approved, and one worker. Who harms them mends them."""
    with running_node(server_node_site) as node:
        node.approve("shapes")
        node.ready("shapes")
        server_node_site.phems("broker", "init", PHEMS_BROKER_ADMIN=rabbitmq.admin_url)
        server_node_site.start_worker()
        node.run("diamond", seconds=120)  # from now on the worker takes messages
        yield node
        server_node_site.stop_workers()


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A folder that other accounts may pass through, with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="phems-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
