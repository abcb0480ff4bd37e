"""Which queued runs may start, as the node reads it: against what Dagster itself makes of the same queue."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_postgres import PostgresRunStorage

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.queued_runs import PRIORITY_TAG, PostgresQueuedRuns
from phems.engine.tags import PROJECT_TAG

LIMITS = {"heart": 5, "genes": 2, "idle": 3, "full": 1}
PRIORITIES = ["", "", "", "3", "-2", " 10 ", "+1", "high", "1.5", "3"]
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("location"), "__repository__"), "job"
)
STATUSES = [DagsterRunStatus.QUEUED] * 6 + [
    DagsterRunStatus.STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.CANCELING,
    DagsterRunStatus.SUCCESS,
    DagsterRunStatus.NOT_STARTED,
]


@pytest.fixture
def storage(database: Database) -> Iterator[PostgresRunStorage]:
    storage = PostgresRunStorage.create_clean_storage(database.url("dagster"))
    yield storage
    storage.dispose()


def add(
    storage: PostgresRunStorage,
    project: str | None,
    status: DagsterRunStatus = DagsterRunStatus.QUEUED,
    priority: str = "",
) -> DagsterRun:
    tags = {
        **({PROJECT_TAG: project} if project is not None else {}),
        **({PRIORITY_TAG: priority} if priority else {}),
    }
    return storage.add_run(DagsterRun(job_name="job", status=status, tags=tags, remote_job_origin=ORIGIN))


@pytest.mark.parametrize("seed", range(4))
def test_each_project_s_first_runs_are_those_that_dagster_would_start(
    database: Database, storage: PostgresRunStorage, seed: int
) -> None:
    """Otherwise a run waits behind others that are less urgent, or younger."""
    chance = random.Random(seed)  # noqa: S311
    runs = [
        add(storage, chance.choice(list(LIMITS)), chance.choice(STATUSES), chance.choice(PRIORITIES))
        for _ in range(80)
    ]
    add(storage, "full", DagsterRunStatus.STARTED)
    active = Counter(
        run.tags[PROJECT_TAG]
        for run in runs
        if run.status in {DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING}
    )
    active["full"] += 1
    queued = [run for run in runs if run.status is DagsterRunStatus.QUEUED]
    in_line = QueuedRunCoordinatorDaemon(interval_seconds=5)._priority_sort(queued)
    expected = []
    for run in in_line:
        project = run.tags[PROJECT_TAG]
        if active[project] < LIMITS[project]:
            active[project] += 1
            expected.append(run.run_id)
    assert list(PostgresQueuedRuns(database.engine("dagster")).first(LIMITS, others=50)) == expected


def test_runs_of_no_project_that_has_a_limit_are_among_them(
    database: Database, storage: PostgresRunStorage
) -> None:
    """Otherwise runs of a project that was taken out of node.yaml wait for ever, and nobody is told why."""
    add(storage, "full", DagsterRunStatus.STARTED)
    add(storage, "full")
    gone = [add(storage, "gone").run_id for _ in range(9)]
    nobodys = add(storage, None, priority="9").run_id
    queued = PostgresQueuedRuns(database.engine("dagster"))
    assert list(queued.first(LIMITS, others=5)) == [nobodys, *gone[:4]]
    assert queued.first(LIMITS, others=0) == []


def test_a_queue_that_is_empty_has_no_first(database: Database, storage: PostgresRunStorage) -> None:
    assert PostgresQueuedRuns(database.engine("dagster")).first(LIMITS, others=50) == []
    assert PostgresQueuedRuns(database.engine("dagster")).first({}, others=50) == []
