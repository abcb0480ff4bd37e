"""Steps that go over RabbitMQ to a worker process, and come back by Postgres."""

from __future__ import annotations

from tests.nodes import RunningNode, succeeded
from tests.server_nodes import ServerSite


def test_a_run_of_one_step(node: RunningNode, site: ServerSite) -> None:
    run = node.run("diamond")
    assert succeeded(run), node.story(run.run_id) + site.worker_log()
