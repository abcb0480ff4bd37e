"""What to be woken for, in one table: the rules of Prometheus, as a file of its own and for the chart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from phems.render.yaml_text import yaml_text

HEAD = "# Written by phems from src/phems/render/alerts.py.\n"
FILE = "alerts.yaml"


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule. `summary` and `remedy` may name labels of what the expression gives."""

    name: str
    expression: str
    lasts: str
    severity: Literal["page", "ticket"]
    """page: somebody gets up; ticket: somebody looks in working hours."""
    summary: str
    remedy: str


ALERTS = (
    Alert(
        "PhemsNodeAway",
        'up{job="phems"} == 0',
        "2m",
        "page",
        "The node does not answer Prometheus.",
        "phems status; journalctl --unit phems-control",
    ),
    Alert(
        "PhemsWorkerAway",
        'up{job="phems-workers"} == 0',
        "5m",
        "ticket",
        "A worker does not answer Prometheus at {{ $labels.instance }}.",
        "phems status; journalctl --unit 'phems-worker*'",
    ),
    Alert(
        "PhemsPartNotReady",
        "phems_ready == 0",
        "1m",
        "page",
        "The part {{ $labels.part }} cannot do its work.",
        "phems status, or /readyz as an operator: it says why",
    ),
    Alert(
        "PhemsNobodyDrivesRuns",
        "max by (node) (phems_leading) == 0",
        "2m",
        "page",
        "No control process drives the runs.",
        "phems status; is the database there?",
    ),
    Alert(
        "PhemsAuditUnsigned",
        "min by (node) (phems_audit_unsigned_entries) > 0",
        "5m",
        "page",
        "Entries of the audit log stay without a signed checkpoint.",
        "phems audit verify",
    ),
    Alert(
        "PhemsAuditUnanchored",
        "min by (node, anchor) (min_over_time(phems_audit_unanchored_entries[30m])) > 0"
        " and max by (node, anchor) (delta(phems_audit_unanchored_entries[30m])) > 0",
        "5m",
        "page",
        "The anchor {{ $labels.anchor }} falls behind the audit log.",
        "phems status; can the anchor be reached?",
    ),
    Alert(
        "PhemsHostFailed",
        'max by (node) (phems_hosts{state="FAILED"}) > 0',
        "2m",
        "ticket",
        "The code of a project does not load.",
        "phems status",
    ),
    Alert(
        "PhemsStepsStandStill",
        "max by (node, project) (phems_steps_waiting) > 0"
        " and max by (node, project) (phems_steps_running) == 0",
        "10m",
        "page",
        "Steps of {{ $labels.project }} wait, and none runs.",
        "phems status; are there workers for the project's pool?",
    ),
    Alert(
        "PhemsRunsStandStill",
        'max by (node, project) (phems_runs{state="QUEUED"}) > 0'
        ' unless max by (node, project) (phems_runs{state=~"STARTING|STARTED"}) > 0',
        "10m",
        "page",
        "Runs of {{ $labels.project }} are queued, and none is on its way.",
        "phems status; do the daemons run?",
    ),
    Alert(
        "PhemsStepsLost",
        'sum by (node, project) (increase(phems_step_attempts_ended_total{result="lost"}[1h])) > 3',
        "0m",
        "ticket",
        "Attempts at steps of {{ $labels.project }} are lost with their hosts or workers.",
        "Look for memory that ran out, and for workers that were killed.",
    ),
    Alert(
        "PhemsAdmissionRefuses",
        'sum by (node) (increase(phems_admissions_total{result="refused"}[1h])) > 20',
        "0m",
        "ticket",
        "Admission refuses many runs.",
        "phems audit tail: each refusal has its reason",
    ),
    Alert(
        "PhemsStorageCallsRefused",
        'sum by (node, method) (increase(phems_storage_calls_total{result="refused"}[10m])) > 0',
        "0m",
        "ticket",
        "Project code asks the storage service for what is not its own.",
        "phems audit tail",
    ),
    Alert(
        "PhemsReleaseNotPublished",
        'max by (node, project) (phems_release_requests{state="APPROVED"}) > 0',
        "15m",
        "ticket",
        "An approved release of {{ $labels.project }} is not in the release zone.",
        "The node's log names what the publisher could not do.",
    ),
    Alert(
        "PhemsReleaseWaits",
        "max by (node, project) (phems_release_requests_oldest_seconds) > 3 * 86400",
        "0m",
        "ticket",
        "A release request of {{ $labels.project }} has waited for its checkers for three days.",
        "phems release list",
    ),
    Alert(
        "PhemsCodeWaits",
        "max by (node, project) (phems_code_revisions_oldest_seconds) > 3 * 86400",
        "0m",
        "ticket",
        "A code revision of {{ $labels.project }} has waited for its approval for three days.",
        "phems code list",
    ),
    Alert(
        "PhemsNotificationsGivenUp",
        'max by (node) (phems_notifications{state="GIVEN_UP"})'
        ' > max by (node) (phems_notifications{state="GIVEN_UP"} offset 1d)',
        "0m",
        "ticket",
        "People are waited for and were not told.",
        "The node's log has why (phems.notifier): notifications in node.yaml.",
    ),
    Alert(
        "PhemsLineageNotTaken",
        "max by (node, target) (phems_lineage_failing) > 0",
        "1h",
        "ticket",
        "Lineage events wait: the {{ $labels.target }} takes none.",
        "phems status has why: lineage in node.yaml.",
    ),
    Alert(
        "PhemsSignInsRefused",
        'sum by (node) (increase(phems_sign_ins_total{result="refused"}[10m])) > 20',
        "0m",
        "ticket",
        "Many tries to sign in are refused.",
        "phems audit tail: is somebody guessing?",
    ),
    Alert(
        "PhemsRequestsFail",
        'sum by (node) (increase(phems_http_requests_total{status=~"5.."}[10m])) > 10',
        "0m",
        "ticket",
        "The gateway answers with errors of its own.",
        "The node's log has the errors.",
    ),
    Alert(
        "PhemsDiskNearlyFull",
        "min by (node, disk) (phems_disk_free_bytes / phems_disk_bytes) < 0.1",
        "10m",
        "page",
        "Less than a tenth of the disk with the node's {{ $labels.disk }} is free.",
        "A full disk stops every act. Make room.",
    ),
)


def alert_groups() -> list[dict[str, Any]]:
    """The rules, as Prometheus and its operator read them."""
    return [{"name": "phems", "rules": [_rule(alert) for alert in ALERTS]}]


def alerts_text() -> str:
    """The file of rules."""
    return HEAD + yaml_text({"groups": alert_groups()})


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.lasts,
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "remedy": alert.remedy},
    }
