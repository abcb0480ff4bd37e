"""Writes of events: in the order of their ids whoever writes, stored once when the connection is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from sqlalchemy import Connection, text
from tests.integration.postgres.conftest import Proxied

from phems.adapters.postgres.dagster_storage import DagsterStorages, open_storages
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.process import wait_until
from phems.errors import RefusedError

_WAITING_WRITERS = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
_END_WRITERS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def said(message: str, run_id: str = "run") -> EventLogEntry:
    return EventLogEntry(None, 20, message, run_id, time.time())


def planned_check() -> EventLogEntry:
    data = AssetCheckEvaluationPlanned(asset_key=dg.AssetKey("rows"), check_name="enough")
    event = DagsterEvent(
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value, "job", event_specific_data=data
    )
    return EventLogEntry(None, 20, "", "run", time.time(), job_name="job", dagster_event=event)


def stored(database: Database) -> list[str]:
    with database.engine("dagster").connect() as connection:
        query = text("SELECT event::json ->> 'user_message' FROM event_logs ORDER BY id")
        return list(connection.execute(query).scalars())


def waiting_writers(database: Database) -> int:
    with database.engine("admin").connect() as connection:
        return int(connection.execute(_WAITING_WRITERS).scalar_one())


class Gate:
    """A guard that stands in the middle of a transaction until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, _connection: Connection) -> None:
        self.reached.set()
        assert self.opened.wait(60)


@contextmanager
def opened(url: str, guard: object = None) -> Iterator[DagsterStorages]:
    storages = open_storages(url, guard)  # type: ignore[arg-type]
    try:
        yield storages
    finally:
        storages.close()


def test_an_id_is_drawn_only_when_all_lower_ones_are_committed(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    """Otherwise the orchestrator, which reads on from the highest id it saw, never hears of an event."""
    gate, url = Gate(), database.url("dagster")
    with opened(url, gate) as slow, opened(url) as other:
        first = pool.submit(slow.events.store_event, said("first"))
        assert gate.reached.wait(60)
        second = pool.submit(other.events.store_event, said("second"))
        assert wait_until(lambda: waiting_writers(database) == 1, seconds=60)
        assert stored(database) == []
        gate.opened.set()
        for written in (first, second):
            written.result(60)
    assert stored(database) == ["first", "second"]


def test_a_reader_with_a_cursor_misses_none_of_several_writers(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    """The same, with many writers at once and a reader beside them."""
    url = database.url("dagster")
    with opened(url) as one, opened(url) as two, opened(url) as three:
        writes: list[Future[None]] = [
            pool.submit(writer.events.store_event, said(f"{number}"))
            for number in range(100)
            for writer in (one, two, three)
        ]
        seen, cursor = 0, 0
        query = text("SELECT count(*), max(id) FROM event_logs WHERE id > :cursor")
        while seen < len(writes):
            are_done = all(write.done() for write in writes)  # asked before the reader looks
            with database.engine("dagster").connect() as connection:
                count, last = connection.execute(query, {"cursor": cursor}).one()
            seen, cursor = seen + count, last or cursor
            assert count or not are_done, f"a reader saw {seen} of 300"
        for write in writes:
            write.result(60)
    assert seen == len(writes)


def test_a_write_whose_session_the_server_ends_is_stored_once(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    """Otherwise a restart of Postgres fails every step that says something in that second."""
    gate = Gate()
    with opened(database.url("dagster"), gate) as storages:
        written = pool.submit(storages.events.store_event_batch, [said("a"), planned_check(), said("b")])
        assert gate.reached.wait(60)
        with database.engine("admin").connect() as connection:
            assert connection.execute(_END_WRITERS).scalar() == 1
        gate.opened.set()
        written.result(60)
        checks = storages.events.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("rows"), "enough"), limit=10
        )
    assert [message for message in stored(database) if message] == ["a", "b"]
    assert len(checks) == 1


def test_a_commit_whose_answer_is_lost_is_not_made_again(
    database: Database, proxied: Proxied, pool: ThreadPoolExecutor
) -> None:
    """Otherwise a cut cable doubles events: a step that ended once has ended twice."""
    proxy, url = proxied.proxy, proxied.url("dagster")
    with opened(url) as storages:
        storages.events.store_event(said("before"))
        proxy.swallow_answer_to(b"COMMIT")
        written = pool.submit(storages.events.store_event_batch, [said("a"), said("b")])
        assert proxy.swallowed.wait(60)
        written.result(60)
        storages.events.store_event(said("after"))
    assert stored(database) == ["before", "a", "b", "after"]


def test_connections_cut_again_and_again_lose_and_double_nothing(
    database: Database, proxied: Proxied, pool: ThreadPoolExecutor
) -> None:
    """A bad network, wherever in a transaction it strikes."""
    proxy, url = proxied.proxy, proxied.url("dagster")
    with opened(url) as storages:
        writes = [pool.submit(storages.events.store_event, said(f"{number}")) for number in range(300)]
        cuts = 0
        while not all(write.done() for write in writes):
            if len(stored(database)) >= 10 * cuts:
                proxy.cut()
                cuts += 1
        for write in writes:
            write.result(60)
    assert cuts > 1
    assert sorted(stored(database), key=int) == [str(number) for number in range(300)]


def test_a_guard_refuses_the_whole_group_and_whoever_waits_is_told(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    """Otherwise a worker whose lease is another's now goes on writing that step's events."""
    asked: list[int] = []

    def guard(connection: Connection) -> None:
        asked.append(int(connection.execute(text("SELECT count(*) FROM event_logs")).scalar_one()))
        raise RefusedError("The lease is another worker's.")

    with opened(database.url("dagster"), guard) as storages:
        writes = [pool.submit(storages.events.store_event, said("late")) for _ in range(20)]
        for write in writes:
            with pytest.raises(RefusedError, match="another worker"):
                write.result(60)
        assert asked
        assert stored(database) == []


def test_a_batch_that_cannot_be_stored_takes_no_other_with_it(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    """Otherwise one step's strange event fails the steps of other projects."""
    gate = Gate()
    with opened(database.url("dagster"), gate) as storages:
        held = pool.submit(storages.events.store_event, said("held"))
        assert gate.reached.wait(60)
        bad, good = said("bad", run_id="no\x00run"), said("good")
        writes = [pool.submit(storages.events.store_event, event) for event in (bad, good)]
        gate.opened.set()
        held.result(60)
        with pytest.raises(ValueError, match="NUL"):
            writes[0].result(60)
        writes[1].result(60)
    assert stored(database) == ["held", "good"]
