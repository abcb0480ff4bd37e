"""A Grafana dashboard of a node, from a table of panels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from phems.domain.release_states import UNDER_REVIEW
from phems.domain.waiting import UNDECIDED_CODE

FILE = "dashboard.json"
COLUMNS = 24
HEIGHT = 7
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: lines over time, or (`stat`) the numbers of now. `legend` names labels in {{ }}."""

    title: str
    expression: str
    legend: str = ""
    kind: Literal["timeseries", "stat"] = "timeseries"
    unit: Literal["short", "s", "bytes", "ops", "percentunit"] = "short"
    width: int = 8


PANELS = (
    Panel(
        "Parts that are not ready",
        'count by (node) (phems_ready{node=~"$node"} == 0) or vector(0)',
        "",
        "stat",
        width=4,
    ),
    Panel(
        "Entries without checkpoint", 'max(phems_audit_unsigned_entries{node=~"$node"})', "", "stat", width=4
    ),
    Panel("Runs on their way", 'sum(phems_runs{node=~"$node"})', "", "stat", width=4),
    Panel(
        "Releases in review",
        f'sum(phems_release_requests{{node=~"$node", state=~"{"|".join(UNDER_REVIEW)}"}})',
        "",
        "stat",
        width=4,
    ),
    Panel(
        "Code in review",
        f'sum(phems_code_revisions{{node=~"$node", state=~"{"|".join(UNDECIDED_CODE)}"}})',
        "",
        "stat",
        width=4,
    ),
    Panel("Version", 'max by (version) (phems_build_info{node=~"$node"})', "{{version}}", "stat", width=4),
    Panel("Runs by state", 'max by (project, state) (phems_runs{node=~"$node"})', "{{project}} {{state}}"),
    Panel(
        "Runs that ended",
        'sum by (project, result) (increase(phems_runs_ended_total{node=~"$node"}[1h]))',
        "{{project}} {{result}}",
    ),
    Panel(
        "Admission",
        'sum by (at, result) (increase(phems_admissions_total{node=~"$node"}[1h]))',
        "{{at}} {{result}}",
    ),
    Panel("Steps that wait", 'max by (project) (phems_steps_waiting{node=~"$node"})', "{{project}}"),
    Panel("Steps that run", 'max by (project) (phems_steps_running{node=~"$node"})', "{{project}}"),
    Panel(
        "Attempts that ended",
        'sum by (project, result) (rate(phems_step_attempts_ended_total{node=~"$node"}[5m]))',
        "{{project}} {{result}}",
        unit="ops",
    ),
    Panel(
        "Attempts, by workers",
        'sum by (project, result) (rate(phems_worker_steps_ended_total{node=~"$node"}[5m]))',
        "{{project}} {{result}}",
        unit="ops",
    ),
    Panel(
        "Mean time of an attempt in a worker",
        'sum by (project) (rate(phems_worker_step_seconds_total{node=~"$node"}[5m]))'
        ' / sum by (project) (rate(phems_worker_steps_ended_total{node=~"$node"}[5m]))',
        "{{project}}",
        unit="s",
    ),
    Panel("Project hosts", 'sum by (state) (phems_hosts{node=~"$node"})', "{{state}}"),
    Panel(
        "Storage calls",
        'sum by (result) (rate(phems_storage_calls_total{node=~"$node"}[5m]))',
        "{{result}}",
        unit="ops",
    ),
    Panel(
        "Refused storage calls",
        'sum by (method) (increase(phems_storage_calls_total{node=~"$node", result="refused"}[1h]))',
        "{{method}}",
    ),
    Panel("Audit log", 'max(phems_audit_entries{node=~"$node"})', "entries"),
    Panel(
        "Entries that an anchor has not",
        'max by (anchor) (phems_audit_unanchored_entries{node=~"$node"})',
        "{{anchor}}",
    ),
    Panel(
        "Longest waiting release request",
        'max by (project) (phems_release_requests_oldest_seconds{node=~"$node"})',
        "{{project}}",
        unit="s",
    ),
    Panel(
        "Requests",
        'sum by (route) (rate(phems_http_requests_total{node=~"$node"}[5m]))',
        "{{route}}",
        unit="ops",
    ),
    Panel(
        "Answers, 95th percentile",
        "histogram_quantile(0.95, sum by (le, route) "
        '(rate(phems_http_request_seconds_bucket{node=~"$node"}[5m])))',
        "{{route}}",
        unit="s",
    ),
    Panel(
        "Refusals", 'sum by (kind) (rate(phems_refusals_total{node=~"$node"}[5m]))', "{{kind}}", unit="ops"
    ),
    Panel("Sign-ins", 'sum by (result) (increase(phems_sign_ins_total{node=~"$node"}[1h]))', "{{result}}"),
    Panel(
        "Open sessions and connections",
        'phems_sessions_open{node=~"$node"} or phems_connections_open{node=~"$node"}',
        "{{__name__}}",
    ),
    Panel(
        "Free disk",
        'min by (disk) (phems_disk_free_bytes{node=~"$node"} / phems_disk_bytes{node=~"$node"})',
        "{{disk}}",
        unit="percentunit",
    ),
)


def dashboard_text() -> str:
    """The file that Grafana imports."""
    ends = list(accumulate(panel.width for panel in PANELS))
    panels = [_panel(number, panel, ends[number] - panel.width) for number, panel in enumerate(PANELS)]
    return (
        json.dumps(
            {
                "uid": "phems-node",
                "title": "PHEMS node",
                "tags": ["phems"],
                "schemaVersion": 39,
                "editable": True,
                "refresh": "30s",
                "time": {"from": "now-6h", "to": "now"},
                "templating": {"list": [_data_source(), _nodes()]},
                "panels": panels,
            },
            indent=2,
        )
        + "\n"
    )


def _panel(number: int, panel: Panel, begins: int) -> dict[str, Any]:
    return {
        "id": number + 1,
        "title": panel.title,
        "type": panel.kind,
        "datasource": SOURCE,
        "gridPos": {"h": HEIGHT, "w": panel.width, "x": begins % COLUMNS, "y": begins // COLUMNS * HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": "A",
                "expr": panel.expression,
                "legendFormat": panel.legend,
                "datasource": SOURCE,
            }
        ],
    }


def _data_source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _nodes() -> dict[str, Any]:
    query = "label_values(phems_build_info, node)"
    return {
        "name": "node",
        "label": "Node",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "nodes"},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
