"""Every other write when the connection is lost: done once, or the person is told what is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterRun, DagsterRunStatus
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus
from sqlalchemy import text
from tests.integration.postgres.conftest import Proxied

from phems.adapters.checkpoint_file import CheckpointFile
from phems.adapters.postgres.dagster_storage import DagsterStorages, open_storages
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.unit_of_work import PostgresGovernance, PostgresTransaction
from phems.adapters.signing import load_or_create_key, signature_matches
from phems.domain.actors import NODE
from phems.errors import UnavailableError
from phems.services.checkpoints import CheckpointKeeper


@pytest.fixture
def storages(proxied: Proxied) -> Iterator[DagsterStorages]:
    """Dagster's storages, by way of the proxy."""
    made = open_storages(proxied.url("dagster"))
    yield made
    made.close()


def tick() -> TickData:
    return TickData(
        instigator_origin_id="origin",
        instigator_name="nightly",
        instigator_type=InstigatorType.SCHEDULE,
        status=TickStatus.STARTED,
        timestamp=datetime.now(UTC).timestamp(),
        selector_id="selector",
    )


def added_run(made: DagsterStorages, run_id: str) -> DagsterRun:
    return made.runs.add_run(DagsterRun("job", run_id=run_id, tags={"asked": f"for {run_id}"}))


def test_what_is_added_as_the_connection_is_lost_is_added_once_and_whole(
    storages: DagsterStorages, proxied: Proxied, database: Database
) -> None:
    """Otherwise a launch is told that its run is there already, a run lacks the tags that say whose it is,
    or a schedule ticks twice.
    """
    adding: list[tuple[bytes, Callable[[], object]]] = [
        (b"COMMIT", lambda: added_run(storages, "a")),
        (b"INSERT INTO runs", lambda: added_run(storages, "b")),
        (b"INSERT INTO run_tags", lambda: added_run(storages, "c")),
        (b"COMMIT", lambda: storages.schedules.create_tick(tick())),
    ]
    for lost, add in adding:
        proxied.proxy.swallow_answer_to(lost)
        assert add() is not None
        assert proxied.proxy.swallowed.is_set()
    with database.engine("dagster").connect() as connection:
        for table, count in (("runs", 3), ("run_tags", 3), ("job_ticks", 1)):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == count  # noqa: S608
    assert dict(storages.runs.get_run_tags(["asked"])) == {"asked": {"for a", "for b", "for c"}}


def test_a_state_that_is_set_as_the_answer_is_lost_is_set(
    storages: DagsterStorages, proxied: Proxied
) -> None:
    """Otherwise a run that has ended looks as if it ran for ever."""
    storages.runs.add_run(DagsterRun("job", run_id="run"))
    proxied.proxy.swallow_answer_to(b"UPDATE runs")
    storages.runs.handle_run_event("run", DagsterEvent(DagsterEventType.RUN_SUCCESS.value, "job"))
    assert proxied.proxy.swallowed.is_set()
    proxied.proxy.swallow_answer_to(b"SELECT")
    (run,) = storages.runs.get_runs()
    assert run.status is DagsterRunStatus.SUCCESS


@dataclass(frozen=True)
class Governed:
    """Governance by way of the proxy, its checkpoints beside it."""

    governance: PostgresGovernance
    keeper: CheckpointKeeper


@pytest.fixture
def governed(proxied: Proxied, tmp_path: Path) -> Governed:
    """A node's governance, its log open."""
    key = load_or_create_key(tmp_path / "keys", "audit")
    store = CheckpointFile(tmp_path / "audit" / "checkpoint")
    keeper = CheckpointKeeper(origin="n/audit", store=store, signer=key, verify=signature_matches)
    governance = PostgresGovernance(proxied.database.engine("governance"), checkpoints=keeper)
    with governance.transaction() as work:
        keeper.open(work.audit.head(), work.audit)
    return Governed(governance, keeper)


def decide(work: PostgresTransaction) -> str:
    work.audit.append(NODE, "node.decide", "it")
    return "decided"


def entries(database: Database) -> int:
    with database.engine("governance").connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM audit.entry")).scalar_one())


@pytest.mark.parametrize("is_again", [False, True])
def test_an_act_whose_commit_is_not_answered_is_known_to_be_done_by_its_audit_entry(
    governed: Governed, proxied: Proxied, database: Database, is_again: bool
) -> None:
    """Otherwise a person is told that nothing was done, does it again, and it is done twice."""
    proxied.proxy.swallow_answer_to(b"COMMIT")
    if is_again:
        assert governed.governance.act(decide) == "decided"
    else:
        with governed.governance.transaction() as work:
            decide(work)
    assert proxied.proxy.swallowed.is_set()
    assert entries(database) == 1
    checkpoint = governed.keeper.read()
    assert checkpoint is not None
    assert checkpoint.size == 1


def test_an_act_that_was_lost_before_its_commit_was_not_done_and_says_so(
    governed: Governed, proxied: Proxied, database: Database
) -> None:
    """Otherwise nobody dares to do it again."""
    proxied.proxy.swallow_answer_to(b"INSERT INTO audit.entry")
    with (
        pytest.raises(UnavailableError, match="nothing was done"),
        governed.governance.transaction() as work,
    ):
        decide(work)
    assert entries(database) == 0
    with governed.governance.transaction() as work:  # the checkpoint of what was not done is not in the way
        decide(work)
    assert entries(database) == 1


def test_a_use_case_that_may_be_done_again_is_done_again_from_its_beginning(
    governed: Governed, proxied: Proxied, database: Database
) -> None:
    """Otherwise a run that is admitted in the second of a restart is refused for ever."""
    proxied.proxy.swallow_answer_to(b"INSERT INTO audit.entry")
    begun: list[int] = []

    def act(work: PostgresTransaction) -> str:
        begun.append(1)
        return decide(work)

    assert governed.governance.act(act) == "decided"
    assert (len(begun), entries(database)) == (2, 1)


def test_what_leaves_no_entry_and_is_not_answered_is_not_known_and_not_done_again(
    governed: Governed, proxied: Proxied
) -> None:
    """Otherwise it is claimed that nothing was done, which nobody knows."""
    begun: list[int] = []

    def act(work: PostgresTransaction) -> None:
        begun.append(1)
        work.audit.head()
        proxied.proxy.swallow_answer_to(b"COMMIT")

    with pytest.raises(UnavailableError, match="not known whether this was done") as raised:
        governed.governance.act(act)
    assert "phems audit tail" in raised.value.remedy
    assert len(begun) == 1


def test_an_act_waits_a_little_for_a_database_that_is_away(
    governed: Governed, proxied: Proxied, database: Database, pool: Any
) -> None:
    """Otherwise every restart shows an error page to whoever clicks in that second."""
    proxied.proxy.is_refusing = True
    proxied.proxy.cut()
    done = pool.submit(governed.governance.act, decide)
    assert not done.done()
    proxied.proxy.is_refusing = False
    assert done.result(60) == "decided"
    assert entries(database) == 1
