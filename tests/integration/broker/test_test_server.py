"""The RabbitMQ of the tests is what they take it for: it keeps its data, and leaves nothing behind."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil
import pytest
from tests.rabbitmq import START_SECONDS, RabbitMq

from phems.adapters.rabbitmq.management import ManagementApi, parse_admin_url
from phems.services.ports.broker import BrokerLogin

KEPT = BrokerLogin("kept", "kept", "a password")


@pytest.fixture
def api(rabbitmq: RabbitMq) -> Iterator[ManagementApi]:
    """Its administrator, in a vhost of the test's own."""
    with ManagementApi(parse_admin_url(rabbitmq.admin_url)) as api:
        api.make_vhost(KEPT.vhost)
        yield api
        api.delete_vhost(KEPT.vhost)


def put_message(rabbitmq: RabbitMq) -> None:
    """One durable message in a durable queue."""
    queue = f"queues/{KEPT.vhost}/steps"
    assert rabbitmq.api("PUT", queue, json={"durable": True}).is_success
    body = {
        "properties": {"delivery_mode": 2},
        "routing_key": "steps",
        "payload": "a step",
        "payload_encoding": "string",
    }
    said = rabbitmq.api("POST", f"exchanges/{KEPT.vhost}/amq.default/publish", json=body)
    assert said.json() == {"routed": True}


def test_it_comes_back_with_what_it_kept(rabbitmq: RabbitMq, api: ManagementApi) -> None:
    """Fault tests stop it in mid-run: what it loses by itself would be laid at the node's door."""
    put_message(rabbitmq)
    before = rabbitmq.pid
    with rabbitmq.stopped(kill=True):
        assert before is not None
        assert not psutil.pid_exists(before)
    message = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
    # A queue opens a moment after its vhost.
    deadline = time.monotonic() + START_SECONDS
    while not (said := rabbitmq.api("POST", f"queues/{KEPT.vhost}/steps/get", json=message)).is_success:
        assert time.monotonic() < deadline, said.text
        time.sleep(0.05)
    assert [found["payload"] for found in said.json()] == ["a step"]


def test_queue_depths_and_purging_are_seen(rabbitmq: RabbitMq, api: ManagementApi) -> None:
    """An operator who looks at a queue that was purged must not see what was there before."""
    put_message(rabbitmq)
    (queue,) = api.depths(KEPT.vhost)
    assert (queue.name, queue.consumers) == ("steps", 0)
    api.purge(KEPT.vhost, "steps")
    said = rabbitmq.api(
        "POST",
        f"queues/{KEPT.vhost}/steps/get",
        json={"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"},
    )
    assert said.json() == []
