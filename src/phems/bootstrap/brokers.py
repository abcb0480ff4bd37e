"""How a node's processes reach the broker: a login for each project, and the key that signs messages."""

from __future__ import annotations

from pathlib import Path

from phems.adapters.celery.app import BrokerAccess
from phems.adapters.rabbitmq.logins import amqp_url, load_login
from phems.engine.capabilities import load_or_create_key
from phems.errors import InputError
from phems.nodespec import NodePaths, NodeSpec


def broker_access(spec: NodeSpec, paths: NodePaths, project: str) -> BrokerAccess:
    """A project's queue; raises `UnavailableError` when `phems broker init` has not been run for it."""
    if spec.broker is None:
        raise InputError(
            "node.yaml names no broker.",
            why="The server profile carries steps over RabbitMQ.",
            remedy="Set broker.url in node.yaml.",
        )
    ca = str(paths.resolve(spec.broker.ca)) if spec.broker.ca else None
    return BrokerAccess(project, amqp_url(spec.broker, load_login(paths.keys, project)), ca)


def message_key(keys: Path) -> bytes:
    """The key that the step queue's messages are signed with; the node's control processes share it."""
    return load_or_create_key(keys / "messages.key")
