"""The table of metrics: names that Prometheus takes, and labels that cannot hold what people write."""

from __future__ import annotations

import re

from phems.domain.metrics import METRICS, Metric, Reading, pairs

LABELS = {
    *("method", "route", "status", "kind", "result", "operation", "field", "limit", "why", "version", "part"),
    *("disk", "anchor", "at", "project", "state", "target"),
}


def test_names_are_prometheus_own() -> None:
    for metric in METRICS.values():
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert metric.about.endswith(".")


def test_a_label_holds_a_word_of_the_node_never_a_run_a_person_or_a_key() -> None:
    """A label for each run fills Prometheus; one of project code's carries out what it likes."""
    assert {label for metric in METRICS.values() for label in metric.labels} == LABELS


def test_a_metric_is_asked_for_by_its_full_name() -> None:
    assert Metric("runs", "gauge", "Runs.").full_name == "phems_runs"
    assert Metric("refusals", "counter", "Refusals.").full_name == "phems_refusals_total"
    assert Metric("seconds", "histogram", "Seconds.").full_name == "phems_seconds_count"


def test_what_was_read_knows_its_row() -> None:
    assert Reading("hosts", []).metric.labels == ("state",)


def test_what_is_counted_by_two_labels_comes_in_order() -> None:
    counted = pairs({("b", "done"): 1, ("a", "done"): 2}, "method", "result")
    assert counted == [({"method": "a", "result": "done"}, 2), ({"method": "b", "result": "done"}, 1)]
