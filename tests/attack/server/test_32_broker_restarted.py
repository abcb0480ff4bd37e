"""Attack 32: the broker stops in mid-run, or loses what it was given. No step is lost, none is doubled."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from tests.nodes import RunningNode, succeeded
from tests.rabbitmq import RabbitMq
from tests.server_nodes import ServerSite
from tests.server_stories import ends_well, go_on, until_served, waiting, worker_pids

from phems.adapters.rabbitmq.logins import load_login

STEPS = ["counted", "waits", "counted_after"]


def test_32_a_run_outlives_the_broker(
    server_node: RunningNode, server_node_site: ServerSite, rabbitmq: RabbitMq
) -> None:
    run_id = waiting(server_node)
    with rabbitmq.stopped():
        # The step ends while nobody can be told by message, and the next cannot be sent.
        go_on(server_node, run_id)
        server_node.wait_for(
            lambda: any(
                event.step_key == "waits" and event.is_step_success for event in server_node.events(run_id)
            ),
            "the end of the step",
        )
    ends_well(server_node, server_node_site, run_id, STEPS)


def test_32_a_run_outlives_a_broker_that_is_killed_while_its_step_runs(
    server_node: RunningNode, server_node_site: ServerSite, rabbitmq: RabbitMq
) -> None:
    """The message comes again when the broker does, and finds its step alive."""
    run_id = waiting(server_node)
    with rabbitmq.stopped(kill=True):
        pass
    until_consumed(server_node, rabbitmq, vhost_of(server_node))
    go_on(server_node, run_id)
    ends_well(server_node, server_node_site, run_id, STEPS)


def test_32_messages_purged_by_hand_are_sent_again(
    server_node: RunningNode, server_node_site: ServerSite, rabbitmq: RabbitMq
) -> None:
    server_node_site.stop_workers()
    assert worker_pids(server_node) == []
    vhost = vhost_of(server_node)
    run_id = server_node.launch("waiting")
    server_node.wait_for(lambda: waiting_messages(rabbitmq, vhost) == 1, "the message")
    rabbitmq.api("DELETE", f"queues/{vhost}/steps/contents")
    go_on(server_node, run_id)
    server_node_site.start_worker()
    until_served(server_node)
    ends_well(server_node, server_node_site, run_id, STEPS)


def test_32_the_first_step_after_a_pause_goes_out_at_once(
    server_node: RunningNode, rabbitmq: RabbitMq, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker closes what says nothing for long; who launches a run after lunch must not wait for that."""
    server_node.run("diamond")
    sending = [
        each["name"]
        for each in rabbitmq.api("GET", f"vhosts/{vhost_of(server_node)}/connections").json()
        if each["timeout"] == 0
    ]
    assert sending, "the connection that sends is held to heartbeats that it cannot answer"
    for name in sending:
        rabbitmq.api("DELETE", f"connections/{quote(name)}")
    assert succeeded(server_node.run("diamond"))
    told = [record.message for record in caplog.records if record.name == "phems.steps"]
    assert told == []


def vhost_of(node: RunningNode) -> str:
    keys: Path = node.serving.paths.keys
    return load_login(keys, "shapes").vhost


def waiting_messages(rabbitmq: RabbitMq, vhost: str) -> int:
    return int(rabbitmq.api("GET", f"queues/{vhost}/steps").json().get("messages_ready", -1))


def until_consumed(node: RunningNode, rabbitmq: RabbitMq, vhost: str) -> None:
    """Wait until a worker takes messages again."""
    node.wait_for(
        lambda: rabbitmq.api("GET", f"queues/{vhost}/steps").json().get("consumers", 0), "a worker", 60
    )
