"""A server node whose way to its broker and to its Postgres goes through proxies that tests can cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from tests.folders import open_folder
from tests.fresh_databases import socket_file
from tests.nodes import RunningNode, running_node
from tests.rabbitmq import RabbitMq
from tests.server_nodes import ServerSite, server_site
from tests.server_stories import until_served
from tests.tcp_proxy import TcpProxy

from phems.adapters.postgres.database import Database

SHAPES = Path(__file__).parents[1] / "engine" / "shapes"


@dataclass
class FaultyNode:
    """The node, and what stands between it and its services."""

    node: RunningNode
    site: ServerSite
    database: Database
    """Its database by a way that nothing cuts: for who looks on."""
    rabbitmq: RabbitMq
    to_broker: TcpProxy
    to_postgres: TcpProxy

    def ended(self, runs: list[str], seconds: float) -> dict[str, str]:
        """Wait until all of these have ended; gives the status of each."""
        return self.node.wait_for(lambda: self._all_ended(runs), f"the end of {len(runs)} runs", seconds)

    def _all_ended(self, runs: list[str]) -> dict[str, str] | None:
        question = text("SELECT run_id, status FROM dagster.runs WHERE run_id = ANY(:runs)")
        with self.database.engine("dagster").connect() as connection:
            found = {str(run): str(status) for run, status in connection.execute(question, {"runs": runs})}
        return found if set(found.values()) <= {"SUCCESS", "FAILURE", "CANCELED"} else None


@contextmanager
def faulty_node(database: Database, rabbitmq: RabbitMq) -> Iterator[FaultyNode]:
    """It runs, with a worker, until the end of the block."""
    address = database.address("admin")
    with (
        open_folder() as folder,
        TcpProxy(rabbitmq.port) as to_broker,
        TcpProxy(socket_file(database)) as to_postgres,
        server_site(folder, database, rabbitmq) as site,
    ):
        through = address.set(host="127.0.0.1", port=to_postgres.port, query={})
        site.settings["database"]["url"] = through.render_as_string(hide_password=False)
        site.settings["broker"]["url"] = f"amqp://127.0.0.1:{to_broker.port}"
        site.add_project("shapes", SHAPES, code={"repo": "../shapes-code", "module": "shapes.definitions"})
        with running_node(site) as node:
            node.approve("shapes")
            node.ready("shapes")
            site.phems("broker", "init", PHEMS_BROKER_ADMIN=rabbitmq.admin_url)
            site.start_worker()
            until_served(node)
            yield FaultyNode(node, site, database, rabbitmq, to_broker, to_postgres)
            site.stop_workers()
