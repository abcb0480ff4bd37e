"""One project has ten thousand steps in its queue; another asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from tests.attack.server.test_32_broker_restarted import vhost_of, waiting_messages
from tests.nodes import RunningNode, succeeded
from tests.rabbitmq import RabbitMq
from tests.server_nodes import ServerSite
from tests.server_stories import until_served

from phems.engine.step_queue import StepTask

MANY = 10_000
# So many leave no sooner than in a few seconds: whoever looks for missing ones has looked meanwhile.
SENT = 3_000
SMALL = """
import dagster as dg

@dg.op
def one() -> None:
    pass

@dg.job
def small_job() -> None:
    one()

defs = dg.Definitions(jobs=[small_job])
"""
QUEUE_ALL = text(
    "INSERT INTO engine.step_attempts "
    "(project, code_digest, run_id, step_key, attempt, priority, known_state, state) "
    "SELECT 'shapes', 'digest', :run_id, 'step_' || number, 1, 0, '{}', 'QUEUED' "
    "FROM generate_series(1, :many) AS number"
)


@pytest.fixture
def small(server_node: RunningNode, server_node_site: ServerSite, rabbitmq: RabbitMq) -> Iterator[None]:
    """A second project, whose worker is the only one that runs."""
    server_node_site.stop_workers()
    server_node.stop()
    server_node_site.add_project(
        "small",
        {"src/small/__init__.py": "", "src/small/definitions.py": SMALL},
        code={"repo": "../small-code", "module": "small.definitions"},
        queue={"pool": "small"},
    )
    server_node.start()
    server_node.approve("small")
    server_node.ready("small")
    server_node.ready("shapes")
    server_node_site.phems("broker", "init", PHEMS_BROKER_ADMIN=rabbitmq.admin_url)
    server_node_site.start_worker("small")
    until_served(server_node)
    assert succeeded(server_node.run("small_job", project="small", seconds=90))
    yield
    server_node_site.stop_workers()
    server_node_site.start_worker()


@pytest.mark.usefixtures("small")
def test_ten_thousand_steps_of_one_project_hold_up_no_other(
    server_node: RunningNode, rabbitmq: RabbitMq
) -> None:
    """Otherwise whoever fans out widest has the node, and everybody else waits for the last of it."""
    steps: Any = server_node.serving.control.steps
    # A run whose steps wait: it is driven, so that its leases are looked after.
    run_id = server_node.launch("waiting")
    server_node.wait_for(lambda: steps.depths().get("shapes") == (1, 0), "its first step")
    with server_node.serving.node.database.engine("dagster").begin() as connection:
        connection.execute(QUEUE_ALL, {"run_id": run_id, "many": MANY})
    for number in range(1, MANY + 1):
        steps.sender.send(StepTask("shapes", "digest", run_id, f"step_{number}", 1))

    assert succeeded(server_node.run("small_job", project="small", seconds=90))
    vhost = vhost_of(server_node)
    assert waiting_messages(rabbitmq, vhost) < MANY, "the other project's run came after all of them"

    server_node.wait_for(lambda: waiting_messages(rabbitmq, vhost) > SENT, "many messages", 120)
    assert succeeded(server_node.run("small_job", project="small", seconds=90))
    assert steps.depths()["shapes"] == (MANY + 1, 0)
    # Those that leave just now are counted at both ends; whoever misses some sends all that wait.
    assert steps.sender.lengths(["shapes"])["shapes"] < MANY + SENT, "they are sent twice"
    server_node.terminate(run_id)
    assert server_node.finished(run_id).status.value == "CANCELED"
    # What has not left need not leave any more.
    assert steps.sender.lengths(["shapes"])["shapes"] < MANY
    rabbitmq.api("DELETE", f"queues/{vhost}/steps/contents")
