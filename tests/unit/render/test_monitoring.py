"""What Prometheus and Grafana are given: real promtool reads it, and every alert is tried both ways."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from phems.domain.metrics import METRICS
from phems.nodespec import NodeSpec
from phems.render.alerts import ALERTS, alert_groups
from phems.render.dashboard import PANELS
from phems.render.monitoring import TOKEN, monitoring_files

from .alert_cases import CASES, promtool_tests

ANYWHERE = "0.0.0.0"  # noqa: S104
SPEC = {"version": 1, "node": {"name": "st-mary"}, "controller": {"name": "St Mary's Hospital"}}


def files_of(**gateway: Any) -> dict[str, str]:
    return monitoring_files(NodeSpec.model_validate({**SPEC, "gateway": gateway}))


def promtool(*arguments: str, folder: Path) -> str:
    command = ["promtool", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a node with a token, with the token beside them."""
    made = tmp_path_factory.mktemp("monitoring")
    files = files_of(metrics={"token": "env:SCRAPE"}, public_url="https://node.hospital.example")
    for name, text in files.items():
        made.joinpath(name).write_text(text, encoding="utf-8")
    made.joinpath(TOKEN).write_text("s3cret", encoding="utf-8")
    return made


def test_prometheus_reads_its_configuration_and_the_rules(folder: Path) -> None:
    told = promtool("check", "config", "prometheus.yaml", folder=folder)
    assert f"{len(ALERTS)} rules found" in told


def test_every_alert_fires_when_it_should_and_keeps_quiet_when_it_should_not(folder: Path) -> None:
    """An alert that never fires is worse than none: people believe that somebody watches."""
    assert [case.alert for case in CASES] == [alert.name for alert in ALERTS]
    rules = {rule["alert"]: rule for group in alert_groups() for rule in group["rules"]}
    tests = promtool_tests(rules, str(folder / "alerts.yaml"))
    folder.joinpath("tests.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", "tests.yaml", folder=folder)


def names_in(expression: str) -> Iterator[str]:
    for name in re.findall(r"\bphems_\w+", expression):
        yield re.sub(r"_bucket$", "_count", name)


def test_alerts_and_dashboard_name_only_numbers_that_the_node_has() -> None:
    """A name with a slip in it gives an empty picture, and an alert that never fires."""
    known = {metric.full_name for metric in METRICS.values()}
    asked = {name for each in (*ALERTS, *PANELS) for name in names_in(each.expression)}
    assert asked <= known


def test_alerts_and_legends_name_only_labels_that_the_numbers_have() -> None:
    labels = {label for metric in METRICS.values() for label in metric.labels} | {
        "node",
        "instance",
        "__name__",
    }
    for alert in ALERTS:
        assert set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.remedy)) <= labels
    for panel in PANELS:
        assert set(re.findall(r"\{\{(\w+)\}\}", panel.legend)) <= labels


def test_the_expressions_of_the_dashboard_are_prometheus_own(folder: Path) -> None:
    """Grafana shows a slip in an expression to whoever looks, at night."""
    rules = [
        {"record": f"panel_{number}", "expr": panel.expression.replace("$node", ".*")}
        for number, panel in enumerate(PANELS)
    ]
    groups = {"groups": [{"name": "panels", "rules": rules}]}
    folder.joinpath("panels.yaml").write_text(yaml.safe_dump(groups), encoding="utf-8")
    promtool("check", "rules", "panels.yaml", folder=folder)


def test_the_dashboard_lies_in_rows_and_no_panel_covers_another(folder: Path) -> None:
    panels = json.loads(folder.joinpath("dashboard.json").read_text(encoding="utf-8"))["panels"]
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, at["y"]) for x in range(at["x"], at["x"] + at["w"])}
        assert not taken & cells
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels) == len(PANELS)


def test_each_worker_of_this_machine_is_asked(folder: Path) -> None:
    """A worker that nobody asks is missed when its project stands still."""
    spec = {**SPEC, "profile": "server", "workers": {"metrics": {"host": ANYWHERE, "port": 9500}}}
    spec["gateway"] = {"metrics": {"token": "env:SCRAPE"}}
    spec["projects"] = {name: {"code": {"repo": f"code/{name}"}} for name in ("a", "b")}
    text = monitoring_files(NodeSpec.model_validate(spec))["prometheus.yaml"]
    folder.joinpath("with-workers.yaml").write_text(text, encoding="utf-8")
    promtool("check", "config", "with-workers.yaml", folder=folder)
    _, job = yaml.safe_load(text)["scrape_configs"]
    assert job["job_name"] == "phems-workers"
    assert job["static_configs"] == [
        {"targets": ["127.0.0.1:9500", "127.0.0.1:9501"], "labels": {"node": "st-mary"}}
    ]
    assert job["authorization"] == {"credentials_file": TOKEN}


@pytest.mark.parametrize(
    ("gateway", "scheme", "target", "has_token"),
    [
        ({}, "http", "127.0.0.1:3000", False),
        ({"port": 8443, "tls": {"certificate": "c.pem", "key": "k.pem"}}, "https", "127.0.0.1:8443", False),
        ({"public_url": "https://node.example"}, "http", "127.0.0.1:3000", False),
        (
            {"public_url": "https://node.example:8443", "metrics": {"token": "env:SCRAPE"}},
            "https",
            "node.example:8443",
            True,
        ),
        ({"host": "::", "metrics": {"token": "env:SCRAPE"}}, "http", "[::1]:3000", True),
    ],
)
def test_prometheus_is_sent_where_the_node_answers_it(
    gateway: dict[str, Any], scheme: str, target: str, *, has_token: bool
) -> None:
    """Without a token the node answers its own machine, and nothing that comes by way of a proxy."""
    (job,) = yaml.safe_load(files_of(**gateway)["prometheus.yaml"])["scrape_configs"]
    assert (job["scheme"], job["static_configs"][0]["targets"]) == (scheme, [target])
    assert ("authorization" in job) is has_token
    assert job["static_configs"][0]["labels"] == {"node": "st-mary"}
