"""Case 16: a run row is put into the queue by SQL: admission refuses, audited."""

from __future__ import annotations

from attacked_node import INTRUDER, WARD, AttackedNode


def test_a_run_that_nobody_asked_for(site: AttackedNode) -> None:
    """Otherwise a row in a table would be enough to run code on patient data."""
    run = site.create_run(INTRUDER, "plain_job")
    site.set_status(run.run_id, "QUEUED")
    assert site.wait(run.run_id).status.value == "FAILURE"
    assert "was not asked for through the node" in site.log(run.run_id)
    assert "phems run launch" in site.log(run.run_id)
    assert "PIPELINE_START" not in site.event_types(run.run_id)
    entries = [entry for entry in site.refusals("run.admit") if entry.subject == run.run_id]
    assert len(entries) == 1
    assert entries[0].project == INTRUDER


def test_a_run_that_has_been_run(site: AttackedNode) -> None:
    """Otherwise a finished run could be made to run again without anybody asking."""
    run_id = site.launch(WARD, "count_job")
    assert site.wait(run_id).is_success
    starts = site.event_types(run_id).count("STEP_START")
    site.set_status(run_id, "QUEUED")
    assert site.wait(run_id).status.value == "FAILURE"
    assert "has been started before" in site.log(run_id)
    assert site.event_types(run_id).count("STEP_START") == starts
    assert [entry for entry in site.refusals("run.admit") if entry.subject == run_id]


def test_a_run_that_was_refused(site: AttackedNode) -> None:
    """Otherwise a refusal would be a matter of one UPDATE."""
    run_id = site.launch(INTRUDER, "plain_job", tags={"phems/project": WARD})
    assert site.wait(run_id).status.value == "FAILURE"
    site.set_status(run_id, "QUEUED")
    assert site.wait(run_id).status.value == "FAILURE"
    assert "STEP_START" not in site.event_types(run_id)
    assert [entry for entry in site.refusals("run.admit") if entry.subject == run_id]
