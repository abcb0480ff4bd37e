"""Leases of steps when the connection is lost: a step is offered once, taken by one, and never by nobody."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from tests.integration.postgres.conftest import Proxied

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.step_leases import PostgresOrchestratorLeases, PostgresWorkerLeases
from phems.engine.leases import NotTaken, TakenStep
from phems.engine.step_queue import StepTask, WorkerFacts
from phems.errors import UnavailableError

STEP = ("run", "step", 1)


def states(database: Database) -> list[tuple[str, str]]:
    with database.engine("dagster").connect() as connection:
        rows = connection.execute(text("SELECT state, worker FROM engine.step_attempts"))
        return [(row.state, row.worker) for row in rows]


@pytest.mark.parametrize("lost", [b"INSERT INTO engine.step_attempts", b"COMMIT"])
def test_a_step_is_offered_once_though_the_answer_is_lost(
    proxied: Proxied, database: Database, lost: bytes
) -> None:
    """Otherwise a cut cable ends a run's steps, which then begin anew."""
    leases = PostgresOrchestratorLeases(proxied.database.engine("dagster"))
    proxied.proxy.swallow_answer_to(lost)
    leases.offer(StepTask("project", "digest", *STEP), "{}")
    assert proxied.proxy.swallowed.is_set()
    assert [state for state, _ in states(database)] == ["QUEUED"]
    assert leases.attempts_of("run")["step"].is_open


def test_a_step_that_was_had_without_knowing_is_had_when_it_is_asked_for_again(
    proxied: Proxied, database: Database
) -> None:
    """Otherwise a step is a worker's that never begins it: the run waits for ever."""
    PostgresOrchestratorLeases(database.engine("dagster")).offer(StepTask("project", "digest", *STEP), "{}")
    facts = [WorkerFacts(name, "default", "project", "here", 1, 1) for name in ("one", "other")]
    one = PostgresWorkerLeases(proxied.database.engine("dagster"), facts[0])
    other = PostgresWorkerLeases(database.engine("dagster"), facts[1])
    one.register()
    other.register()
    proxied.proxy.swallow_answer_to(b"COMMIT")
    with pytest.raises(UnavailableError):
        one.take(*STEP, limit=1)
    assert proxied.proxy.swallowed.is_set()
    assert states(database) == [("RUNNING", "one")]
    assert other.take(*STEP, limit=2) is NotTaken.GONE
    assert isinstance(one.take(*STEP, limit=1), TakenStep)
    assert one.take(*STEP, limit=2) is NotTaken.GONE  # once
    assert states(database) == [("RUNNING", "one")]
