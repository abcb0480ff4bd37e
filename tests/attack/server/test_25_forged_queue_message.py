"""Attack 25: messages that this node did not write. They are dropped, audited, and start nothing."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection
from tests.attack.server.test_32_broker_restarted import vhost_of, waiting_messages
from tests.nodes import RunningNode
from tests.rabbitmq import RabbitMq

from phems.adapters.celery.messages import CONTENT_TYPE, TASK, MessageSigner, name_of
from phems.adapters.rabbitmq.logins import amqp_url, load_login
from phems.domain.audit import Entry

OWNED = "/tmp/phems-owned-by-a-message"


class Bomb:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (OWNED,)


def content(*arguments: object) -> list[Any]:
    """A message's body, as Celery has it."""
    return [list(arguments), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]


STEP = name_of("a-run", "a_step", 1)
UNSIGNED = json.dumps(content(STEP))
ANOTHERS = MessageSigner(b"k" * 32).write(content(STEP))
FORGERIES: Mapping[str, tuple[str, str | bytes, str]] = {
    "nobody signed it": (CONTENT_TYPE, UNSIGNED, TASK),
    "somebody else signed it": (CONTENT_TYPE, ANOTHERS, TASK),
    "plain JSON": ("application/json", UNSIGNED, TASK),
    "a pickle": ("application/x-python-serialize", pickle.dumps(content(Bomb())), TASK),
    "a pickle that says it is a step": (CONTENT_TYPE, pickle.dumps(content(Bomb())), TASK),
    "another task": (CONTENT_TYPE, ANOTHERS, "celery.backend_cleanup"),
    "nothing at all": (CONTENT_TYPE, b"", TASK),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_25_a_forged_message_is_dropped_and_audited(
    forgery: str, server_node: RunningNode, rabbitmq: RabbitMq
) -> None:
    content_type, body, task = FORGERIES[forgery]
    before = len(refusals(server_node))
    put(server_node, content_type, body, task)
    server_node.wait_for(lambda: len(refusals(server_node)) > before, "the audit entry")
    server_node.wait_for(lambda: waiting_messages(rabbitmq, vhost_of(server_node)) == 0, "an empty queue")
    (entry,) = refusals(server_node)[before:]
    assert (entry.result, entry.project) == ("refused", "shapes")
    assert not Path(OWNED).exists()


def test_25_a_message_of_the_node_s_own_starts_nothing_a_second_time(server_node: RunningNode) -> None:
    """Otherwise who can read the queue has a step run again, whenever they like."""
    run = server_node.run("diamond")
    signer = MessageSigner((server_node.serving.paths.keys / "messages.key").read_bytes())
    started = sum(event.event_type_value == "STEP_START" for event in server_node.events(run.run_id))
    for attempt in (1, 2):
        put(server_node, CONTENT_TYPE, signer.write(content(name_of(run.run_id, "one", attempt))), TASK)
    server_node.run("diamond")  # what was put before it has been seen to
    again = sum(event.event_type_value == "STEP_START" for event in server_node.events(run.run_id))
    assert again == started == 4


def refusals(node: RunningNode) -> list[Entry]:
    with node.serving.node.governance.transaction() as work:
        return [entry for entry in work.audit.entries() if entry.action == "step.message"]


def put(node: RunningNode, content_type: str, body: str | bytes, task: str) -> None:
    """Put a message in the project's queue, as whoever has got hold of its login can."""
    broker = node.serving.spec.broker
    assert broker is not None
    headers = {"task": task, "id": "an-id", "lang": "py", "argsrepr": "", "kwargsrepr": ""}
    with Connection(amqp_url(broker, load_login(node.serving.paths.keys, "shapes"))) as connection:
        connection.Producer().publish(
            body,
            exchange="",
            routing_key="steps",
            headers=headers,
            content_type=content_type,
            content_encoding="utf-8" if isinstance(body, str) else "binary",
        )
