"""The broker's section of node.yaml: no secret stands in it, and profile server has one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from phems.nodespec import Broker, Problem

Problems = Callable[..., list[Problem]]
URL = "amqps://rabbitmq.st-mary.example:5671"
MANAGEMENT = "https://rabbitmq.st-mary.example:15671"


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        (URL, "amqp://phems:hunter2@rabbitmq", "broker.url", "holds a user or a password"),
        (URL, "amqp://phems@rabbitmq", "broker.url", "phems broker init"),
        (URL, "amqp://rabbitmq/vhost", "broker.url", "is not the address of a broker"),
        (URL, "redis://rabbitmq", "broker.url", "is not the address of a broker"),
        (URL, "rabbitmq:5672", "broker.url", "is not the address of a broker"),
        (MANAGEMENT, "http://guest:hunter2@rabbitmq:15672", "broker.management", "user or a password"),
        (MANAGEMENT, "amqp://rabbitmq", "broker.management", "management API"),
        (MANAGEMENT, "http://rabbitmq:15672/?a=b", "broker.management", "management API"),
        (f"  management: {MANAGEMENT}\n", "", "broker.management", "is missing"),
        ("pool: large", "pool: Large Machines", "projects.heart-attack.queue.pool", "is not a name"),
    ],
)
def test_a_mistake_about_the_broker_is_named(
    problems_of: Problems, old: str, new: str, key: str, words: str
) -> None:
    """Otherwise a password ends in Git, or the node tells of its mistake when the first step is to run."""
    (problem,) = problems_of((old, new))
    assert problem.key == key
    assert words in str(problem)
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("url", "host", "port", "is_tls"),
    [
        ("amqp://127.0.0.1:5673/", "127.0.0.1", 5673, False),
        ("amqp://rabbitmq", "rabbitmq", 5672, False),
        ("amqps://rabbitmq", "rabbitmq", 5671, True),
        ("amqps://[::1]:5671", "::1", 5671, True),
    ],
)
def test_the_address_says_where_and_how_the_broker_is_reached(
    url: str, host: str, port: int, is_tls: bool
) -> None:
    broker = Broker(url=url, management="http://rabbitmq:15672/rabbit/")
    assert (broker.host, broker.port, broker.is_tls) == (host, port, is_tls)
    assert not broker.url.endswith("/")
    assert broker.management == "http://rabbitmq:15672/rabbit"


def test_a_server_without_a_broker_is_told_so(problems_of: Problems, full: str) -> None:
    """Its workers would wait for steps that nobody can send them."""
    section = full[full.index("broker:\n") : full.index("roles:\n")]
    server = ("profile: embedded", "profile: server")
    assert problems_of(server) == []
    (problem,) = problems_of(server, (section, ""))
    assert (problem.key, problem.what) == ("broker", "is missing")
    assert "management" in problem.remedy
