"""A real Prometheus scrapes a real node by the files that the node renders, and an alert comes up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest
from small_node import PROJECT, SmallNode, until
from tests.prometheus import Prometheus, prometheus_of


@pytest.fixture(scope="module")
def prometheus(node: SmallNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus_of(node.serving.spec, tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def guess_passwords(node: SmallNode, times: int) -> None:
    """From an address of its own: whoever guesses is slowed down, and nobody else."""
    body = json.dumps({"name": "ana", "password": "a guess"})
    for _ in range(times):
        connection = HTTPConnection("127.0.0.1", node.port, timeout=30, source_address=("127.0.0.3", 0))
        with closing(connection):
            connection.request("POST", "/api/sign-in", body, {"Content-Type": "application/json"})
            assert 400 <= connection.getresponse().status < 500


def test_prometheus_reads_the_node_and_warns(node: SmallNode, prometheus: Prometheus) -> None:
    """Nobody is woken when the rules, the node's numbers or the way between them have a fault."""
    until(lambda: prometheus.value_of('phems_ready{node="st-mary", part="daemons"}') == 1)
    assert prometheus.value_of('up{job="phems", node="st-mary"}') == 1
    assert prometheus.value_of("phems_leading") == 1
    in_use = f'phems_code_revisions{{project="{PROJECT}", state="APPROVED"}}'
    assert prometheus.value_of(in_use) == 1
    assert "PhemsSignInsRefused" not in prometheus.firing()
    guess_passwords(node, 40)
    until(lambda: "PhemsSignInsRefused" in prometheus.firing())
    assert not prometheus.firing() & {"PhemsNodeAway", "PhemsPartNotReady", "PhemsNobodyDrivesRuns"}
