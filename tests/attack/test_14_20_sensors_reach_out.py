"""Cases 14, 15 and 20 by way of the daemon: what sensors and schedules of project code ask it to do."""

from __future__ import annotations

import pytest
from attacked_node import INTRUDER, WARD, AttackedNode
from dagster import RunsFilter

FOREIGN = (
    "foreign_asset_events",
    "foreign_partitions",
    "foreign_reaction",
    "foreign_log",
    "foreign_backfill",
)


@pytest.fixture(scope="module")
def victim(site: AttackedNode) -> str:
    """A run of the ward, whose id the intruder has learnt; all its hostile sensors are switched on."""
    run_id = site.launch(WARD, "count_job")
    site.wait(run_id)
    (site.data / "artifacts" / INTRUDER / "told").write_text(run_id)
    for name in (*FOREIGN, "reserved_tags"):
        site.instance.start_sensor(site.instigator(name))
    return run_id


def test_what_is_not_its_own_is_refused_and_nothing_happens(site: AttackedNode, victim: str) -> None:
    """Otherwise the daemon, with all the node's rights, would be project code's long arm."""
    before = (site.rows_of(victim), _state(site))
    ticks = {name: site.wait_for_tick(name) for name in FOREIGN}
    for name, tick in ticks.items():
        assert tick.status.value == "FAILURE", name
        assert "RefusedError" in str(tick.error), name
        assert not tick.run_ids
        assert victim not in str(tick.log_key)
    assert before == (site.rows_of(victim), _state(site))
    audited = {entry.subject for entry in site.refusals("storage.call") if entry.project == INTRUDER}
    assert {f"tick of {name}" for name in FOREIGN} <= audited


def _state(site: AttackedNode) -> list[object]:
    return [
        site.sql("SELECT count(*) FROM event_logs WHERE asset_key LIKE '%ward%'"),
        site.sql("SELECT * FROM dynamic_partitions"),
        site.sql("SELECT key FROM bulk_actions"),
    ]


def test_a_sensor_s_run_with_reserved_tags_is_refused(site: AttackedNode, victim: str) -> None:
    """Otherwise a sensor could launch in another's name."""
    tick = site.wait_for_tick("reserved_tags")
    (run_id,) = tick.run_ids
    run = site.wait(run_id)
    assert run.status.value == "FAILURE"
    assert "reserved" in site.log(run_id)
    assert "PIPELINE_START" not in site.event_types(run_id)
    assert run.tags["phems/project"] == INTRUDER
    assert run_id not in {r.run_id for r in site.instance.get_runs(RunsFilter(tags={"phems/project": WARD}))}
