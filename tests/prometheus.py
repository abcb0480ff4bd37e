"""A real Prometheus, from Debian, set up by the files that a node renders."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

import yaml
from tests.rabbitmq import free_ports

from phems.nodespec import NodeSpec
from phems.render.monitoring import monitoring_files


class Prometheus:
    """What it knows."""

    def __init__(self, port: int) -> None:
        self._port = port

    def value_of(self, expression: str) -> float | None:
        """The first value of an expression; None while there is none."""
        data = self._asked(f"/api/v1/query?query={quote(expression)}")
        return float(data["result"][0]["value"][1]) if data and data["result"] else None

    def firing(self) -> set[str]:
        """The alerts that fire."""
        data = self._asked("/api/v1/alerts")
        assert data is not None, "Prometheus has not begun yet"
        return {each["labels"]["alertname"] for each in data["alerts"] if each["state"] == "firing"}

    def _asked(self, path: str) -> Any:
        """What it answers; None while it begins."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=30) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
        except (URLError, ConnectionError):
            pass
        return None


@contextmanager
def prometheus_of(spec: NodeSpec, folder: Path) -> Iterator[Prometheus]:
    """It asks, and looks at the rules, each second; what has to last lasts no time."""
    files = monitoring_files(spec)
    configuration = yaml.safe_load(files["prometheus.yaml"])
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    rules = yaml.safe_load(files["alerts.yaml"])
    for rule in rules["groups"][0]["rules"]:
        rule["for"] = "0s"
    folder.joinpath("prometheus.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    folder.joinpath("alerts.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    (port,) = free_ports(1)
    command = ["prometheus", "--config.file=prometheus.yaml", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--storage.tsdb.path=data"], cwd=folder, stdout=log, stderr=log)
    try:
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(60)
