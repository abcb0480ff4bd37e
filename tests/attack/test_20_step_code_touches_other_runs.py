"""Case 20: step code deletes or tags another run, wipes assets, sets pools through `context.instance`."""

from __future__ import annotations

import pytest
from attacked_node import INTRUDER, WARD, AttackedNode
from dagster import AssetKey


@pytest.fixture(scope="module")
def victim_run(site: AttackedNode) -> str:
    """A finished run of the ward, with an asset."""
    run_id = site.launch(WARD, "__ASSET_JOB", assets=[AssetKey(["ward", "patients"])])
    run = site.wait(run_id)
    assert run.is_success, site.log(run_id)
    return run_id


@pytest.fixture(scope="module")
def own_earlier_run(site: AttackedNode) -> str:
    """A finished run of the intruder itself."""
    run_id = site.launch(INTRUDER, "report_job")
    assert site.wait(run_id).is_success, site.log(run_id)
    return run_id


def test_every_change_is_refused_and_audited_and_no_row_changes(
    site: AttackedNode, victim_run: str, own_earlier_run: str
) -> None:
    """Otherwise a project could delete the evidence of another's run, or stop its steps."""
    site.sql("DELETE FROM dynamic_partitions")
    before = [site.rows_of(victim_run), site.rows_of(own_earlier_run), _others(site)]
    # Who is refused twenty times is cut off, and may fail of it or not.
    found = site.probe(
        "change_other_runs_job", expect=None, victim_run=victim_run, own_earlier_run=own_earlier_run
    )
    got = {name: outcome for name, outcome in found.items() if outcome.startswith("got")}
    assert not got
    assert before == [site.rows_of(victim_run), site.rows_of(own_earlier_run), _others(site)]
    audited = {entry.subject for entry in site.refusals("storage.call") if entry.project == INTRUDER}
    expected = {
        "runs.delete_run",
        "runs.add_run_tags",
        "runs.handle_run_event",
        "events.delete_events",
        "events.wipe_asset",
        "events.wipe",
        "events.set_concurrency_slots",
        "events.add_dynamic_partitions",
    }
    # Of twenty refusals the connection is cut: the call that finds it so is not answered at all.
    assert len(expected - audited) <= 1
    entry = next(e for e in site.refusals("storage.call") if e.subject == "runs.delete_run")
    assert entry.actor == f"code:{INTRUDER}"
    assert entry.details["step"] == "change_other_runs"


def _others(site: AttackedNode) -> list[object]:
    # The daemon moves its own cursors meanwhile; the probe tries to set another.
    cursors = "kvs WHERE key NOT LIKE 'EVENT_LOG_CONSUMER_CURSOR-%'"
    return [
        site.sql(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608 - names of our own
        for table in ("asset_keys", "concurrency_limits", "dynamic_partitions", cursors, "bulk_actions")
    ]


def test_nothing_of_another_project_can_be_read(site: AttackedNode, victim_run: str) -> None:
    """Otherwise run configurations, tags and metadata of another project would be an open book."""
    found = site.probe("read_other_runs_job", victim_run=victim_run)
    told = {name: outcome for name, outcome in found.items() if victim_run in outcome or "'ward'" in outcome}
    # A refusal repeats the id that it was asked for, and nothing else.
    assert {name: outcome for name, outcome in told.items() if outcome.startswith("got")} == {}
    assert found["get_run_by_id"] == "got: None"
    assert "ward" not in found["asset keys"]
    assert found["asset keys by prefix"] == "got: []"
    assert "ward" not in found["all asset records"]
    for name in ("run tags", "instigator state", "heartbeats", "pools", "backfills", "ref"):
        assert "RefusedError" in found[name], name


def test_a_run_that_does_not_exist_and_one_of_another_project_look_alike(
    site: AttackedNode, victim_run: str
) -> None:
    """Otherwise the answer itself would tell that a run exists."""
    absent = "00000000-0000-4000-8000-000000000000"
    real = site.probe("read_other_runs_job", victim_run=victim_run)
    none = site.probe("read_other_runs_job", victim_run=absent)
    alike = [
        "get_run_by_id",
        "get_run_record_by_id",
        "has_run",
        "get_run_group",
        "all_logs",
        "get_records_for_run",
    ]
    for name in alike:
        assert real[name].replace(victim_run, absent) == none[name], name


def test_to_name_another_s_run_as_one_s_root_shows_nothing_of_it(site: AttackedNode, victim_run: str) -> None:
    """Otherwise a run group would be a way to another project's run configuration."""
    family = {"dagster/parent_run_id": victim_run, "dagster/root_run_id": victim_run}
    run_id = site.launch(
        INTRUDER,
        "read_other_runs_job",
        config={"ops": {"read_other_runs": {"config": {"victim_run": victim_run}}}},
        tags=family,
        root_run_id=victim_run,
        parent_run_id=victim_run,
    )
    assert site.findings(run_id)["own run group"] == f"got: ['{run_id}']"


def test_a_step_starts_no_run(site: AttackedNode) -> None:
    """Otherwise code would run that passed no admission."""
    before = {run.run_id for run in site.instance.get_runs()}
    found = site.probe("launch_runs_job", expect="FAILURE")  # a refused event spoils the step that wrote it
    got = {name for name, outcome in found.items() if outcome.startswith("got")}
    # Submitting itself, already started, gives itself back; events are refused when they are sent.
    assert got <= {"submit_run", "cancel itself", "materialize report"}
    kinds = site.event_types(site.instance.get_runs(limit=1)[0].run_id)
    assert kinds.count("PIPELINE_ENQUEUED") == 1
    assert not {"ASSET_MATERIALIZATION", "PIPELINE_CANCELED"} & set(kinds)
    after = {run.run_id for run in site.instance.get_runs()}
    assert len(after - before) == 1, "only the probing run itself is new"


def test_asking_again_and_again_does_not_fill_the_audit_log(site: AttackedNode) -> None:
    """Otherwise what matters in the audit log could be buried, and every act of the node slowed."""
    before = len(site.refusals("storage.call"))
    found = site.probe("ask_again_and_again_job", calls=150)
    assert found["refused"] == 150
    entries = site.refusals("storage.call")[before:]
    assert len(entries) == 100
    assert "not recorded" in entries[-1].details["reason"]
