"""The broker: its administration by the management API, and how a node's processes reach their queues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from phems.adapters.celery.app import BrokerAccess
from phems.adapters.rabbitmq.connection import tls_options
from phems.adapters.rabbitmq.logins import FolderBrokerLogins, amqp_url, load_login
from phems.adapters.rabbitmq.management import AdminLogin, ManagementApi
from phems.adapters.secret_keys import load_or_create_secret
from phems.bootstrap.node import Node
from phems.errors import InputError
from phems.nodespec import Broker, NodePaths, NodeSpec
from phems.nodespec.broker import vhost_of
from phems.services.broker_logins import BrokerLogins


@contextmanager
def broker_logins_of(node: Node, login: AdminLogin) -> Iterator[BrokerLogins]:
    """The use case, as the broker's administrator."""
    broker = broker_of(node.spec)
    with ManagementApi(login, ca=ca_of(broker, node.paths)) as api:
        yield BrokerLogins(
            node.governance, api, FolderBrokerLogins(node.paths.keys), partial(vhost_of, node.spec.node.name)
        )


def broker_of(spec: NodeSpec) -> Broker:
    """The broker that node.yaml names; InputError when it names none."""
    if spec.broker is None:
        raise InputError(
            "This node has no broker.",
            why="node.yaml has no section broker: it runs its steps itself.",
            remedy="Write broker: {url: 'amqp://HOST:5672', management: 'http://HOST:15672'} in node.yaml.",
        )
    return spec.broker


def ca_of(broker: Broker, paths: NodePaths) -> Path | None:
    """The file of who may vouch for the broker."""
    return None if broker.ca is None else paths.resolve(broker.ca)


def broker_access(spec: NodeSpec, paths: NodePaths, project: str) -> BrokerAccess:
    """A project's queue; UnavailableError when `phems broker init` has not been run for it."""
    broker = broker_of(spec)
    url = amqp_url(broker, load_login(paths.keys, project))
    return BrokerAccess(project, url, tls_options(broker.url, ca_of(broker, paths)))


def message_key(keys: Path) -> bytes:
    """The key that the step queue's messages are signed with; the node's control processes share it."""
    return load_or_create_secret(keys / "messages.key")
