"""What old runs left goes, and nothing that somebody still goes by: on real runs of a served node."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.nodes import ANALYST, OWNER, RunningNode

from phems.adapters.clock import SystemClock
from phems.adapters.files.run_folders import RunFolders
from phems.adapters.postgres.dumps import keeping
from phems.adapters.postgres.run_leftovers import NodeLeftovers
from phems.domain.actors import LOCAL_OPERATOR
from phems.domain.retention import Area
from phems.errors import ConflictError
from phems.services.purges import Purges

DAYS = 5
RELEASED = "rr-aaaaaaaa"
REQUEST = """
INSERT INTO governance.release_requests
    (id, project, requester, authors, policy, requested_at, groups, runs, state, turn, reason)
VALUES (:name, 'shapes', 'ana', '{ana}', :policy, now(), '[]', '[]', 'WITHDRAWN', 1, '')
"""
FILE = """
INSERT INTO governance.release_files
    (request_id, turn, path, sha256, size, media_type, run_id, step_key, file_group, kind)
VALUES (:name, 1, 'table.csv', repeat('ab', 32), 3, 'text/csv', :run_id, 's', 'g', 'output')
"""
POLICY = '{"name": "default", "votes": 2, "file_types": [], "max_file_size": 1}'


@pytest.fixture(scope="module")
def aged(node: RunningNode) -> dict[str, str]:
    """Runs that ended ten days ago, but for `young`: `asset` made an asset, `released` is in a request."""
    runs = {name: node.launch("diamond") for name in ("free", "released", "young", "gone-on-from")}
    runs["asset"] = node.launch("__ASSET_JOB", assets=["shapes/source"])
    for run_id in runs.values():
        node.finished(run_id)
    database = node.serving.node.database
    with database.engine("dagster").begin() as connection:
        older = text("UPDATE runs SET end_time = end_time - :seconds WHERE run_id = ANY(:runs)")
        seconds = timedelta(days=10).total_seconds()
        old = [run_id for name, run_id in runs.items() if name != "young"]
        connection.execute(older, {"seconds": seconds, "runs": old})
    with database.engine("governance").begin() as connection:
        connection.execute(text(REQUEST), {"name": RELEASED, "policy": POLICY})
        connection.execute(text(FILE), {"name": RELEASED, "run_id": runs["released"]})
    return runs


@pytest.fixture
def purges(node: RunningNode) -> Purges:
    within = node.serving.node
    leftovers = NodeLeftovers(within.database, RunFolders(within.paths.data_dir))
    return Purges(within.governance, leftovers, lambda _project: dict.fromkeys(Area, DAYS), SystemClock())


def test_old_runs_are_purged_as_the_dry_run_said_and_lineage_is_followed_all_the_same(
    node: RunningNode, aged: dict[str, str], purges: Purges
) -> None:
    """Otherwise a dry run is no help, or a released number cannot be explained a year later."""
    within = node.serving.node
    lineage = within.lineages.of(OWNER, "shapes", RELEASED)
    waiting = node.launch("waiting")
    node.wait_for(lambda: node.artifact(f"waiting-{waiting}").exists(), "the step of waiting")
    with within.database.engine("dagster").begin() as connection:
        # What a re-execution that is on its way goes on from.
        tag = text(
            "INSERT INTO run_tags (run_id, key, value) VALUES (:run, 'dagster/parent_run_id', :parent)"
        )
        connection.execute(tag, {"run": waiting, "parent": aged["gone-on-from"]})
    planned = purges.plan("shapes")
    taken = {part.area: set(part.runs) for part in planned}
    free, asset = aged["free"], aged["asset"]
    assert taken[Area.EVENT_LOGS] == {free}
    assert taken[Area.COMPUTE_LOGS] == {free, asset}
    assert taken[Area.ARTIFACTS] == {free}
    assert all(part.items and part.bytes for part in planned)

    with keeping(within.database), pytest.raises(ConflictError, match="backup or a purge"):
        purges.purge(LOCAL_OPERATOR, "shapes")
    assert purges.plan("shapes") == planned
    assert purges.purge(LOCAL_OPERATOR, "shapes") == planned
    assert purges.plan("shapes") == []
    assert node.events(free) == []
    assert not node.artifact(f"io/runs/{free}").exists()
    assert not (within.paths.logs / free).exists()
    assert node.run_of(free).is_finished, "that it ran is still told"
    for name in ("released", "young", "gone-on-from"):
        assert node.events(aged[name])
        assert node.artifact(f"io/runs/{aged[name]}").exists()
    assert node.events(asset)
    assert within.lineages.of(OWNER, "shapes", RELEASED) == lineage
    node.terminate(waiting)
    node.finished(waiting)


def test_each_purge_is_on_record_with_its_rule_and_its_runs(node: RunningNode, aged: dict[str, str]) -> None:
    """An auditor would otherwise find a hole, and nobody who made it."""
    with node.serving.node.governance.transaction() as tx:
        entries = tx.audit.recorded("project.purge")
    assert {entry.details["area"] for entry in entries} == set(Area)
    for entry in entries:
        assert (entry.actor, entry.project) == (LOCAL_OPERATOR.name, "shapes")
        assert entry.details["older_than_days"] == DAYS
        assert aged["free"] in entry.details["runs"]
        assert entry.details["bytes"] > 0


def test_a_purge_with_no_retention_takes_nothing(node: RunningNode, aged: dict[str, str]) -> None:
    """What node.yaml does not say is kept."""
    del aged
    from phems.bootstrap.purge import purges_of

    assert purges_of(node.serving.node).purge(ANALYST, "shapes") == []
