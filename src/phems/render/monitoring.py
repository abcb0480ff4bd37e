"""What watches a node from outside: Prometheus' configuration and rules, a dashboard for Grafana."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from phems.nodespec import NodeSpec
from phems.nodespec.workers import metrics_ports
from phems.render import alerts, dashboard
from phems.render.yaml_text import yaml_text

CONFIGURATION = "prometheus.yaml"
TOKEN = "phems-metrics.token"  # noqa: S105 (a file's name)
JOB = "phems"
WORKERS_JOB = "phems-workers"


def monitoring_files(spec: NodeSpec) -> dict[str, str]:
    """The files by their names."""
    return {
        CONFIGURATION: yaml_text(_configuration(spec)),
        alerts.FILE: alerts.alerts_text(),
        dashboard.FILE: dashboard.dashboard_text(),
    }


def _configuration(spec: NodeSpec) -> dict[str, Any]:
    gateway = spec.gateway
    # Without a token programs of the machine alone are answered, and none of them by way of a proxy.
    public = urlsplit((gateway.public_url if gateway.metrics.token else None) or "")
    scheme = public.scheme or ("https" if gateway.tls else "http")
    job: dict[str, Any] = {"job_name": JOB, "scheme": scheme}
    if gateway.metrics.token:
        job["authorization"] = {"credentials_file": TOKEN}
    job["static_configs"] = [
        {
            "targets": [public.netloc or _address(gateway.host, gateway.port)],
            "labels": {"node": spec.node.name},
        }
    ]
    return {
        "global": {"scrape_interval": "30s", "evaluation_interval": "30s"},
        "rule_files": [alerts.FILE],
        "scrape_configs": [job, *_workers(spec)],
    }


def _workers(spec: NodeSpec) -> Iterator[dict[str, Any]]:
    """Each worker of this machine; those of other machines have the same ports there."""
    told = spec.workers.metrics
    if told is None or spec.profile == "embedded":
        return
    job: dict[str, Any] = {"job_name": WORKERS_JOB, "scheme": "http"}
    if spec.gateway.metrics.token:
        job["authorization"] = {"credentials_file": TOKEN}
    targets = [_address(told.host, port) for port in metrics_ports(spec)]
    yield job | {"static_configs": [{"targets": targets, "labels": {"node": spec.node.name}}]}


def _address(host: str, port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
