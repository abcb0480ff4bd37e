"""Steps that go over RabbitMQ to a worker process, and come back by Postgres."""

from __future__ import annotations

from tests.nodes import RunningNode, succeeded
from tests.server_nodes import ServerSite


def test_a_run_of_one_step(server_node: RunningNode, server_node_site: ServerSite) -> None:
    run = server_node.run("diamond")
    assert succeeded(run), server_node.story(run.run_id) + server_node_site.worker_log()
