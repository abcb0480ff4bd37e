"""A real Prometheus scrapes a real node by the files that the node renders, and an alert comes up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from plain_http import send
from small_node import PROJECT, SmallNode, free_port, until

from phems.render.monitoring import monitoring_files


@pytest.fixture(scope="module")
def prometheus(node: SmallNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port. It asks, and looks at the rules, each second; what has to last lasts no time."""
    folder = tmp_path_factory.mktemp("prometheus")
    files = monitoring_files(node.serving.spec)
    configuration = yaml.safe_load(files["prometheus.yaml"])
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    rules = yaml.safe_load(files["alerts.yaml"])
    for rule in rules["groups"][0]["rules"]:
        rule["for"] = "0s"
    folder.joinpath("prometheus.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    folder.joinpath("alerts.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    port = free_port()
    command = ["prometheus", "--config.file=prometheus.yaml", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--storage.tsdb.path=data"], cwd=folder, stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(60)


def asked(port: int, path: str) -> Any:
    """What Prometheus answers; None while it begins."""
    try:
        answer = send(port, "GET", path)
    except ConnectionError:
        return None
    return answer.json()["data"] if answer.status == 200 else None


def value_of(port: int, expression: str) -> float | None:
    data = asked(port, f"/api/v1/query?query={quote(expression)}")
    return float(data["result"][0]["value"][1]) if data and data["result"] else None


def firing(port: int) -> set[str]:
    data = asked(port, "/api/v1/alerts")
    return {each["labels"]["alertname"] for each in data["alerts"] if each["state"] == "firing"}


def guess_passwords(node: SmallNode, times: int) -> None:
    """From an address of its own: whoever guesses is slowed down, and nobody else."""
    body = json.dumps({"name": "ana", "password": "a guess"})
    for _ in range(times):
        connection = HTTPConnection("127.0.0.1", node.port, timeout=30, source_address=("127.0.0.3", 0))
        with closing(connection):
            connection.request("POST", "/api/sign-in", body, {"Content-Type": "application/json"})
            assert 400 <= connection.getresponse().status < 500


def test_prometheus_reads_the_node_and_warns(node: SmallNode, prometheus: int) -> None:
    """Nobody is woken when the rules, the node's numbers or the way between them have a fault."""
    until(lambda: value_of(prometheus, 'phems_ready{node="st-mary", part="daemons"}') == 1)
    assert value_of(prometheus, 'up{job="phems", node="st-mary"}') == 1
    assert value_of(prometheus, "phems_leading") == 1
    in_use = f'phems_code_revisions{{project="{PROJECT}", state="APPROVED"}}'
    assert value_of(prometheus, in_use) == 1
    assert "PhemsSignInsRefused" not in firing(prometheus)
    guess_passwords(node, 40)
    until(lambda: "PhemsSignInsRefused" in firing(prometheus))
    assert not firing(prometheus) & {"PhemsNodeAway", "PhemsPartNotReady", "PhemsNobodyDrivesRuns"}
