"""The server node of a package of tests: its conftest imports these, and the node ends with the package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.collector import Collector, trace_collector
from tests.folders import open_folder
from tests.nodes import RunningNode, running_node
from tests.rabbitmq import RabbitMq, free_ports
from tests.server_nodes import SHAPES, ServerSite, server_site

from phems.adapters.postgres.database import Database, open_embedded


@pytest.fixture(scope="package")
def server_database() -> Iterator[Database]:
    """A Postgres that belongs to no node; killed, it comes again by itself."""
    with open_folder() as folder:
        keys, runtime_dir = folder / "keys", folder / "run"
        with open_embedded(
            data=folder / "postgres", keys=keys, runtime_dir=runtime_dir, start=True
        ) as database:
            yield database


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """Who takes the spans of its processes."""
    with trace_collector() as taken:
        yield taken


@pytest.fixture(scope="package")
def server_node_site(
    server_database: Database, rabbitmq: RabbitMq, collector: Collector
) -> Iterator[ServerSite]:
    """A Node Repo of the profile `server` with the job shapes."""
    with open_folder() as folder, server_site(folder, server_database, rabbitmq) as site:
        site.settings["telemetry"] = {"otlp": collector.address}
        site.settings["workers"] = {"metrics": {"port": free_ports(1)[0]}}
        site.settings["data_sources"] = {"numbers": {"path": "numbers.csv", "format": "csv"}}
        site.node_folder.joinpath("numbers.csv").write_text("number\n1\n")
        site.add_project(
            "shapes",
            SHAPES,
            code={"repo": "../shapes-code", "module": "shapes.definitions"},
            data_grants=[{"source": "numbers"}],
        )
        yield site


@pytest.fixture(scope="package")
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
