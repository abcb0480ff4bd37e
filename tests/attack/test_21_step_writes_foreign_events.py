"""Case 21: a step writes RUN_SUCCESS for itself, another step's success, or another run's events."""

from __future__ import annotations

import pytest
from attacked_node import INTRUDER, WARD, AttackedNode

from phems.errors import NotFoundError


def test_a_step_cannot_declare_success(site: AttackedNode) -> None:
    """Otherwise failed work could be released as if it had succeeded."""
    victim = site.launch(WARD, "count_job")
    site.wait(victim)
    victim_before = site.rows_of(victim)
    config = {"ops": {"write_events": {"config": {"victim_run": victim}}}}
    run_id = site.launch(INTRUDER, "write_events_job", config=config)
    found = site.findings(run_id)
    run = site.run(run_id)
    assert run.status.value == "FAILURE"
    accepted = [name for name, outcome in found.items() if "'result'" in outcome]
    assert accepted == []
    kinds = site.event_types(run_id)
    assert "PIPELINE_SUCCESS" not in kinds
    assert "PIPELINE_CANCELED" not in kinds
    assert "STEP_SUCCESS" not in kinds
    assert site.rows_of(victim) == victim_before
    assert "forged" not in site.log(run_id)
    reasons = [e.details["reason"] for e in site.refusals("storage.call") if e.details["run_id"] == run_id]
    assert any("PIPELINE_SUCCESS" in reason for reason in reasons)
    assert any("another run's events" in reason for reason in reasons)
    assert any("another step's events" in reason for reason in reasons)
    assert any("no such asset" in reason for reason in reasons)


def test_a_log_s_name_does_not_lead_to_another_run(site: AttackedNode) -> None:
    """Otherwise the page of one's own run could show the output of somebody else's."""
    mine, theirs = site.launch(INTRUDER, "plain_job"), site.launch(WARD, "count_job")
    for run_id in (mine, theirs):
        site.wait(run_id)
    logs = site.instance.compute_log_manager
    assert logs.get_log_data([theirs, "compute_logs", "count-1"]).stdout is not None
    with pytest.raises(NotFoundError):
        logs.get_log_data([mine, "compute_logs", f"../../{theirs}/compute_logs/count-1"])
