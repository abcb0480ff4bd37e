"""For each alert: numbers that it must warn of, and numbers that it must not, as promtool's tests take them.

A case: the name, series that fire, minutes until they have, labels of the alert, series that must not fire.
Series are in Prometheus' own short form: `0x5` is five further zeros, `0+2x5` grows by two each minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Series = Mapping[str, str]
NODE = 'node="st-mary"'
OF_PROJECT = f'{NODE}, project="heart"'


@dataclass(frozen=True)
class Case:
    """One alert, tried both ways."""

    alert: str
    fires: Series
    after: str
    labels: Mapping[str, str]
    quiet: Series


CASES = (
    Case(
        "PhemsNodeAway",
        {f'up{{job="phems", {NODE}}}': "1 0x9"},
        "4m",
        {"job": "phems"},
        {f'up{{job="phems", {NODE}}}': "1 0 1x9", f'up{{job="another", {NODE}}}': "0x9"},
    ),
    Case(
        "PhemsWorkerAway",
        {f'up{{job="phems-workers", instance="127.0.0.1:9464", {NODE}}}': "1 0x9"},
        "7m",
        {"job": "phems-workers", "instance": "127.0.0.1:9464"},
        {f'up{{job="phems-workers", instance="127.0.0.1:9464", {NODE}}}': "1 0 0 1x9"},
    ),
    Case(
        "PhemsPartNotReady",
        {f'phems_ready{{part="daemons", {NODE}}}': "0x9"},
        "2m",
        {"part": "daemons"},
        {f'phems_ready{{part="daemons", {NODE}}}': "1x9"},
    ),
    Case(
        "PhemsNobodyDrivesRuns",
        {f'phems_leading{{instance="a", {NODE}}}': "1 0x9", f'phems_leading{{instance="b", {NODE}}}': "0x10"},
        "4m",
        {},
        {f'phems_leading{{instance="a", {NODE}}}': "1x10", f'phems_leading{{instance="b", {NODE}}}': "0x10"},
    ),
    Case(
        "PhemsAuditUnsigned",
        {f"phems_audit_unsigned_entries{{{NODE}}}": "3x20"},
        "6m",
        {},
        {f"phems_audit_unsigned_entries{{{NODE}}}": "3 0 3 0 3 0 3 0 3 0 3 0"},
    ),
    Case(
        "PhemsAuditUnanchored",
        {f'phems_audit_unanchored_entries{{anchor="outside", {NODE}}}': "1+2x60"},
        "40m",
        {"anchor": "outside"},
        # A busy node has always something to hand over, and hands it over.
        {f'phems_audit_unanchored_entries{{anchor="outside", {NODE}}}': "4 9 0 4 9 0 4 9 0 4x60"},
    ),
    Case(
        "PhemsHostFailed",
        {f'phems_hosts{{state="FAILED", {NODE}}}': "1x9"},
        "3m",
        {},
        {f'phems_hosts{{state="FAILED", {NODE}}}': "0x9", f'phems_hosts{{state="READY", {NODE}}}': "2x9"},
    ),
    Case(
        "PhemsStepsStandStill",
        {f"phems_steps_waiting{{{OF_PROJECT}}}": "5x20", f"phems_steps_running{{{OF_PROJECT}}}": "0x20"},
        "11m",
        {"project": "heart"},
        {f"phems_steps_waiting{{{OF_PROJECT}}}": "5x20", f"phems_steps_running{{{OF_PROJECT}}}": "1x20"},
    ),
    Case(
        "PhemsRunsStandStill",
        {f'phems_runs{{state="QUEUED", {OF_PROJECT}}}': "5x20"},
        "11m",
        {"project": "heart"},
        {
            f'phems_runs{{state="QUEUED", {OF_PROJECT}}}': "5x20",
            f'phems_runs{{state="STARTED", {OF_PROJECT}}}': "1x20",
        },
    ),
    Case(
        "PhemsStepsLost",
        {f'phems_step_attempts_ended_total{{result="lost", {OF_PROJECT}}}': "0+1x20"},
        "15m",
        {"project": "heart"},
        {f'phems_step_attempts_ended_total{{result="failure", {OF_PROJECT}}}': "0+1x20"},
    ),
    Case(
        "PhemsAdmissionRefuses",
        {f'phems_admissions_total{{at="launch", result="refused", {NODE}}}': "0+5x20"},
        "15m",
        {},
        {f'phems_admissions_total{{at="launch", result="admitted", {NODE}}}': "0+5x20"},
    ),
    Case(
        "PhemsStorageCallsRefused",
        {f'phems_storage_calls_total{{method="runs.add_run", result="refused", {NODE}}}': "0 1 2 2 2"},
        "4m",
        {"method": "runs.add_run"},
        {f'phems_storage_calls_total{{method="runs.add_run", result="done", {NODE}}}': "0+9x9"},
    ),
    Case(
        "PhemsReleaseNotPublished",
        {f'phems_release_requests{{state="APPROVED", {OF_PROJECT}}}': "1x30"},
        "16m",
        {"project": "heart"},
        {
            f'phems_release_requests{{state="APPROVED", {OF_PROJECT}}}': "1x9 0x30",
            f'phems_release_requests{{state="RELEASED", {OF_PROJECT}}}': "7x40",
        },
    ),
    Case(
        "PhemsReleaseWaits",
        {f"phems_release_requests_oldest_seconds{{{OF_PROJECT}}}": "259300x9"},
        "1m",
        {"project": "heart"},
        {f"phems_release_requests_oldest_seconds{{{OF_PROJECT}}}": "86400x9"},
    ),
    Case(
        "PhemsCodeWaits",
        {f"phems_code_revisions_oldest_seconds{{{OF_PROJECT}}}": "259300x9"},
        "1m",
        {"project": "heart"},
        {f"phems_code_revisions_oldest_seconds{{{OF_PROJECT}}}": "86400x9"},
    ),
    Case(
        "PhemsNotificationsGivenUp",
        {f'phems_notifications{{state="GIVEN_UP", {NODE}}}': "2x1440 3x20"},
        "1450m",
        {},
        {f'phems_notifications{{state="GIVEN_UP", {NODE}}}': "2x1460"},
    ),
    Case(
        "PhemsLineageNotTaken",
        {f'phems_lineage_failing{{target="collector", {NODE}}}': "1x70"},
        "65m",
        {"target": "collector"},
        {f'phems_lineage_failing{{target="collector", {NODE}}}': "1x30 0x5 1x30"},
    ),
    Case(
        "PhemsSignInsRefused",
        {f'phems_sign_ins_total{{result="refused", {NODE}}}': "0+5x20"},
        "12m",
        {},
        {f'phems_sign_ins_total{{result="refused", {NODE}}}': "0+1x20"},
    ),
    Case(
        "PhemsRequestsFail",
        {f'phems_http_requests_total{{status="500", route="/api", {NODE}}}': "0+3x20"},
        "12m",
        {},
        {f'phems_http_requests_total{{status="404", route="/api", {NODE}}}': "0+30x20"},
    ),
    Case(
        "PhemsDiskNearlyFull",
        {
            f'phems_disk_free_bytes{{disk="data", {NODE}}}': "9x20",
            f'phems_disk_bytes{{disk="data", {NODE}}}': "100x20",
        },
        "11m",
        {"disk": "data"},
        {
            f'phems_disk_free_bytes{{disk="data", {NODE}}}': "11x20",
            f'phems_disk_bytes{{disk="data", {NODE}}}': "100x20",
        },
    ),
)


def promtool_tests(alerts: Mapping[str, Mapping[str, Any]], rule_file: str) -> dict[str, Any]:
    """The cases as `promtool test rules` reads them; `alerts` are the rules, by name."""
    tests = []
    for case in CASES:
        rule = alerts[case.alert]
        labels = {"severity": rule["labels"]["severity"], "node": "st-mary", **case.labels}
        told = {key: _filled(text, labels) for key, text in rule["annotations"].items()}
        expected = [{"exp_labels": labels, "exp_annotations": told}]
        for series, alerts_told in ((case.fires, expected), (case.quiet, [])):
            tests.append(
                {
                    "interval": "1m",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "alert_rule_test": [
                        {"eval_time": case.after, "alertname": case.alert, "exp_alerts": alerts_told}
                    ],
                }
            )
    return {"rule_files": [rule_file], "evaluation_interval": "1m", "tests": tests}


def _filled(text: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        text = text.replace(f"{{{{ $labels.{name} }}}}", value)
    return text
