"""One node for the faults of a file: what is harmed in a test is whole again at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fresh_databases import fresh_database
from tests.integration.faults.faulty_node import FaultyNode, faulty_node
from tests.rabbitmq import RabbitMq

from phems.adapters.postgres.database import Database


@pytest.fixture(scope="module")
def faulty(postgres_server: Database, rabbitmq: RabbitMq) -> Iterator[FaultyNode]:
    """A server node, and proxies before its services."""
    with fresh_database(postgres_server) as database, faulty_node(database, rabbitmq) as started:
        yield started
