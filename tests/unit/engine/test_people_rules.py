"""The allow-list of people says something of every method that Dagster's storages have, and no more."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import dagster as dg
import pytest
from dagster import AssetKey

from phems.adapters.postgres.dagster_storage import (
    GroupCommitEventLogStorage,
    PooledRunStorage,
    PooledScheduleStorage,
)
from phems.engine._dagster import (
    BulkActionsFilter,
    BulkActionStatus,
    EventLogStorage,
    RunsFilter,
    RunStorage,
    ScheduleStorage,
)
from phems.engine.people_confined import own_backfills
from phems.engine.people_rules import PEOPLE_RULES, REFUSED
from phems.engine.person import Person, Reach
from phems.engine.scoped_storages import ScopedEventLogStorage, ScopedRunStorage
from phems.engine.storage_rules import RULES
from phems.engine.tags import PROJECT_TAG
from phems.errors import RefusedError

BASES: dict[str, type] = {"runs": RunStorage, "events": EventLogStorage, "schedules": ScheduleStorage}
REAL: dict[str, type] = {
    "runs": PooledRunStorage,
    "events": GroupCommitEventLogStorage,
    "schedules": PooledScheduleStorage,
}
# Methods that the node's storages do better than Dagster's base classes, and that people get from the base
# class all the same, upon the methods that have a rule; or that are about the storage itself.
OF_THE_BASE = {
    "alembic_version",
    "dispose",
    "get_asset_keys",
    "migrate",
    "optimize",
    "optimize_for_webserver",
}
NEVER = {
    "runs": {"add_run", "delete_run", "add_run_tags", "wipe", "replace_job_origin", "wipe_daemon_heartbeats"},
    "events": {"delete_events", "store_event_batch", "wipe", "wipe_asset", "wipe_asset_partitions"},
    "schedules": {"create_tick", "update_tick", "purge_ticks", "wipe"},
}


@pytest.mark.parametrize("kind", BASES)
def test_every_method_has_a_rule(kind: str) -> None:
    """Attack 6: otherwise a method that an upgrade adds is answered by nobody's decision."""
    base, rules = BASES[kind], PEOPLE_RULES[kind]
    assert base.__abstractmethods__ - set(rules) == set()  # type: ignore[attr-defined]
    better = {
        name
        for name in dir(base)
        if not name.startswith("_")
        and inspect.isfunction(inspect.getattr_static(base, name))
        and inspect.getattr_static(REAL[kind], name) is not inspect.getattr_static(base, name)
    }
    assert better - set(rules) <= OF_THE_BASE, "decide on these in engine/people_rules.py"
    assert [name for name in rules if not hasattr(base, name)] == []
    assert set(RULES[kind]) <= set(rules)


@pytest.mark.parametrize("kind", NEVER)
def test_evidence_is_taken_away_by_nobody(kind: str) -> None:
    """Otherwise an operator, whom no rule narrows, deletes a run."""
    assert all(PEOPLE_RULES[kind][name] is REFUSED for name in NEVER[kind])


@pytest.fixture
def instance() -> Iterable[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def person(instance: dg.DagsterInstance, *projects: str, sees_all: bool = False) -> Person:
    prefixes = frozenset(project.replace("-", "_") for project in projects)
    return Person(Reach(frozenset(projects), prefixes, frozenset(), sees_all), instance)


def make_run(instance: dg.DagsterInstance, project: str) -> str:
    @dg.op
    def nothing() -> None:
        """Nothing."""

    @dg.job
    def empty() -> None:
        nothing()

    return instance.create_run_for_job(empty, tags={PROJECT_TAG: project}).run_id


def test_several_projects_are_seen_together(instance: dg.DagsterInstance) -> None:
    """Otherwise who works in two projects sees one of them, or all there are."""
    first, second, third = (make_run(instance, name) for name in ("a", "b", "c"))
    storage: Any = ScopedRunStorage(instance.run_storage, person(instance, "a", "b"))
    assert {run.run_id for run in storage.get_runs()} == {first, second}
    assert [run.run_id for run in storage.get_runs(RunsFilter(tags={PROJECT_TAG: "b"}))] == [second]
    assert storage.get_runs(RunsFilter(tags={PROJECT_TAG: "c"})) == []
    assert storage.get_runs(RunsFilter(run_ids=[third])) == []
    assert (storage.has_run(first), storage.has_run(third), storage.has_run("none")) == (True, False, False)


def test_who_has_no_project_sees_nothing(instance: dg.DagsterInstance) -> None:
    """Otherwise an empty list of projects is no filter at all."""
    make_run(instance, "a")
    nobody: Any = ScopedRunStorage(instance.run_storage, person(instance))
    assert nobody.get_runs() == []
    assert nobody.get_runs_count() == 0


def test_who_sees_all_is_still_refused_what_nobody_may(instance: dg.DagsterInstance) -> None:
    run_id = make_run(instance, "a")
    storage: Any = ScopedRunStorage(instance.run_storage, person(instance, sees_all=True))
    assert [run.run_id for run in storage.get_runs()] == [run_id]
    with pytest.raises(RefusedError):
        storage.delete_run(run_id)
    assert instance.has_run(run_id)


def test_another_projects_assets_look_as_if_they_had_no_history(instance: dg.DagsterInstance) -> None:
    """Otherwise one's own pages fail when they show an asset of others that own code depends on."""
    storage: Any = ScopedEventLogStorage(instance.event_log_storage, person(instance, "a"))
    foreign = AssetKey(["b", "cohort"])
    assert storage.has_asset_key(foreign) is False
    assert list(storage.get_asset_records([foreign])) == []
    assert storage.fetch_materializations(foreign, limit=5).records == []
    assert storage.get_dynamic_partitions("b/drawers") == []
    with pytest.raises(RefusedError):
        storage.add_dynamic_partitions("b/drawers", ["x"])


@pytest.mark.parametrize(
    ("asked", "tags"),
    [
        ({}, {PROJECT_TAG: "a"}),
        ({"status": BulkActionStatus.FAILED}, {PROJECT_TAG: "a"}),
        ({"filters": BulkActionsFilter(job_name="job")}, {PROJECT_TAG: "a"}),
        ({"filters": BulkActionsFilter(tags={"kind": "big"})}, {"kind": "big", PROJECT_TAG: "a"}),
        ({"filters": BulkActionsFilter(tags={PROJECT_TAG: "b"})}, {PROJECT_TAG: []}),
    ],
)
def test_backfills_are_asked_for_by_ones_own_projects(
    instance: dg.DagsterInstance, asked: dict[str, Any], tags: dict[str, Any]
) -> None:
    """Otherwise the page of backfills fails, or shows what others have asked for."""
    arguments = {"filters": None, "status": None, **asked}
    own_backfills(person(instance, "a"), arguments)
    status = asked.get("status")
    before = asked.get("filters", BulkActionsFilter())
    found = arguments["filters"]
    assert (found.tags, found.job_name) == (tags, before.job_name)
    assert found.statuses == ([status] if status else None)
