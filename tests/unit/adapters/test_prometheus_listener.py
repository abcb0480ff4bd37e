"""What a worker tells, and to whom: by real HTTP on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection

import pytest

from phems.adapters.prometheus import MetricsListener
from phems.domain.metrics import Reading
from phems.engine.counted_starter import CountedStarter
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask

HERE = "127.0.0.1"


def asked(port: int, path: str = "/metrics", headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    connection = HTTPConnection(HERE, port, timeout=10)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def numbers() -> Iterator[Reading]:
    yield Reading("worker_steps_running", [({"project": "heart"}, 3)])


@pytest.fixture
def ports() -> list[int]:
    """Two that are free."""
    with socket.socket() as one, socket.socket() as other:
        one.bind((HERE, 0))
        other.bind((HERE, 0))
        return [one.getsockname()[1], other.getsockname()[1]]


def test_each_worker_takes_a_port_of_its_own(ports: list[int]) -> None:
    """Otherwise the second on a machine tells nothing, or does not start."""
    one, other = (MetricsListener(HERE, ports, None, numbers) for _ in range(2))
    try:
        assert [one.port, other.port] == ports
        status, text = asked(other.port)
        assert (status, 'phems_worker_steps_running{project="heart"} 3.0' in text) == (200, True)
        assert asked(other.port, "/")[0] == 404
        with pytest.raises(OSError, match="in use"):
            MetricsListener(HERE, ports, None, numbers)
    finally:
        one.close()
        other.close()


def test_without_a_token_a_page_of_another_name_reads_nothing(ports: list[int]) -> None:
    """A browser on this machine would fetch the numbers for whoever made the page."""
    listener = MetricsListener(HERE, ports, None, numbers)
    try:
        assert asked(listener.port, headers={"Host": "rebound.example"})[0] == 401
        assert asked(listener.port, headers={"Host": f"localhost:{listener.port}"})[0] == 200
    finally:
        listener.close()


def test_with_a_token_nobody_else_reads_anything(ports: list[int]) -> None:
    listener = MetricsListener(HERE, ports, "s3cret", numbers)
    try:
        for given in ({}, {"Authorization": "Bearer s3cre"}, {"Authorization": "Basic s3cret"}):
            assert asked(listener.port, headers=given)[0] == 401
        assert asked(listener.port, headers={"Authorization": "Bearer s3cret"})[0] == 200
    finally:
        listener.close()


class Three:
    """A starter of three attempts: one has no host yet, one is lost, one runs on."""

    def expect(self, task: StepTask, run: str, known_state: str) -> None:
        """Nothing."""

    def start(self, task: StepTask, on_end: object) -> bool:
        if task.attempt == 2 and callable(on_end):
            on_end(StepEnd("heart", "run", "step", 2, status=-9, is_lost=True))
        return task.attempt != 1

    def kill_run(self, run_id: str) -> None:
        """Nothing."""


def test_what_is_counted_is_what_runs_and_what_has_ended() -> None:
    """An attempt that waits for its host is asked for again and again: it does not run, and runs once."""
    counted = CountedStarter(Three(), ["heart"])
    for attempt in (1, 1, 2, 3):
        counted.start(StepTask("heart", "digest", "run", "step", attempt), lambda _end: None)
    told = {reading.name: reading.values for reading in counted.read()}
    assert told["worker_steps_running"] == [({"project": "heart"}, 1)]
    assert {labels["result"]: count for labels, count in told["worker_steps_ended"]} == {
        "ended": 0,
        "failed": 0,
        "lost": 1,
    }
