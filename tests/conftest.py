"""What tests of every kind share: a service that takes long to start, one for a process of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.rabbitmq import RabbitMq, running_rabbitmq

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("node", deadline=None)
settings.load_profile("node")


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMq]:
    """A RabbitMQ. Who stops it starts it again: `with rabbitmq.stopped(): ...`."""
    with running_rabbitmq() as server:
        yield server
