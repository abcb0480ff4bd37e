"""Dagster's own Postgres storages on one shared connection pool, with events committed in groups.

Stock Dagster opens a connection per operation and commits each event alone. Here the three storages
share a pool that checks its connections, and one writer thread a process stores what has come in since
its last commit as one transaction: under load many events share one commit, and without load none waits.
A lock makes the ids of events rise in the order of their commits, whichever process writes, so that a
reader with a cursor misses none. A group outlives a restart of the server, and is stored once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from phems.adapters.postgres.connections import pool_of
from phems.adapters.postgres.event_writer import EventWriter
from phems.adapters.postgres.lasting import LastingStorage, lasting
from phems.adapters.postgres.reconnect import reconnecting
from phems.engine._dagster import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    DagsterEventType,
    DagsterRun,
    EventLogEntry,
    EventLogStorage,
    InstigatorState,
    InstigatorTick,
    PartitionBackfill,
    RunStorage,
    RunTagsTable,
    ScheduleStorage,
    SqlEventLogStorageTable,
    TickData,
)
from phems.engine.tags import PROJECT_TAG

_TAGS = RunTagsTable
EVENT_CHANNEL = "run_events"


# Rows are given apart from the statement, so that it is compiled once, whatever the size of a group.
_INSERT_EVENTS = SqlEventLogStorageTable.insert().returning(
    SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
)


# Ids are drawn when rows are inserted and seen when they are committed. Were two processes between the two
# at once, a reader could see the higher id, set its cursor there and never look at the lower one. So a
# transaction that writes events holds this lock from before it draws an id until its commit. (Commits that
# NOTIFY wait for each other in any case: what is lost is the overlap of the inserts.)
# A process that is stopped in between would hold the lock for ever: the server ends its session.
_BEGIN_TO_WRITE = sqlalchemy.text(
    "SELECT set_config('idle_in_transaction_session_timeout', '20s', true),"
    " pg_advisory_xact_lock(hashtext('phems events'))"
)
_IS_STORED = sqlalchemy.text(
    "SELECT 1 FROM event_logs WHERE id = :id AND run_id = :run_id AND event = :event"
)

Guard = Callable[[sqlalchemy.Connection], None]
"""Called in the transaction that writes events, before they are written; raises a PhemsError to refuse.

It runs while every other writer of events waits: it may not wait for one of them.
"""


@lasting(EventLogStorage, adds={}, own={"store_event", "store_event_batch"})
class GroupCommitEventLogStorage(LastingStorage, PostgresEventLogStorage):
    """Dagster's event log on Postgres, written in groups by one thread."""

    def __init__(self, url: str, engine: sqlalchemy.Engine, guard: Guard | None = None) -> None:
        self._known_tables: set[str] = set()
        super().__init__(url, engine)
        self._guard = guard
        self._closing = threading.Event()
        self._writer = EventWriter(self._store)

    def has_table(self, table_name: str) -> bool:
        """Whether a table exists; asked of the database until it does."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event; returns when it is committed."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in their order; returns when they are committed.

        UnavailableError when the database cannot be reached for a minute; what the guard raises.
        """
        stored = [event for event in events if not _is_only_a_signal(event)]
        if stored:
            self._writer.write(stored)

    def close(self) -> None:
        """Write what is waiting and end the writer; a database that is away is not waited for."""
        self._closing.set()
        self._writer.close()

    def _store(self, events: list[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        ids: list[int] = []
        reconnecting(lambda: self._try_to_store(events, rows, ids), stopping=self._closing)

    def _try_to_store(self, events: list[EventLogEntry], rows: list[dict[str, Any]], ids: list[int]) -> None:
        """One transaction. `ids` holds those of the attempt before, when its commit may have been sent."""
        with self._writing() as conn:
            # The lock is had, so the attempt before has ended: its first row is there, with all of the group,
            # or will never be. (An id that was lost in a crash may be drawn again: hence the row's body.)
            if ids and conn.execute(_IS_STORED, {"id": ids[0], **rows[0]}).scalar():
                return
            ids.clear()
            if self._guard is not None:
                self._guard(conn)
            drawn = [int(row[0]) for row in conn.execute(_INSERT_EVENTS, rows)]
            self._store_about_assets(conn, events, drawn)
            last = {event.run_id: event_id for event, event_id in zip(events, drawn, strict=True)}
            for run_id, event_id in last.items():
                conn.execute(
                    sqlalchemy.text("SELECT pg_notify(:channel, :payload)"),
                    {"channel": EVENT_CHANNEL, "payload": f"{run_id}_{event_id}"},
                )
            ids.extend(drawn)

    def _store_about_assets(
        self, conn: sqlalchemy.Connection, events: list[EventLogEntry], ids: list[int]
    ) -> None:
        about_assets = [
            (event, event_id)
            for event, event_id in zip(events, ids, strict=True)
            if event.is_dagster_event
            and event.dagster_event_type in ASSET_EVENTS
            and event.get_dagster_event().asset_key
        ]
        if about_assets:
            self._store_asset_event_tags(conn, *map(list, zip(*about_assets, strict=True)))
            for event, event_id in about_assets:
                self._store_asset_event(conn, event, event_id)
        for event, event_id in zip(events, ids, strict=True):
            if event.is_dagster_event and event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)

    @contextmanager
    def _writing(self) -> Iterator[sqlalchemy.Connection]:
        """A transaction that holds the lock of event writes; Dagster's own methods write into it too."""
        with self._one_transaction() as conn:
            conn.execute(_BEGIN_TO_WRITE)
            yield conn

    def _connect(self) -> AbstractContextManager[sqlalchemy.Connection]:
        return self._connection()


def _added_tick(storage: PooledScheduleStorage, tick_data: TickData) -> InstigatorTick | None:
    latest = storage.get_ticks(tick_data.instigator_origin_id, tick_data.selector_id or "", limit=1)
    return next((tick for tick in latest if tick.tick_data == tick_data), None)


def _added_state(storage: PooledScheduleStorage, state: InstigatorState) -> InstigatorState | None:
    stored = storage.get_instigator_state(state.instigator_origin_id, state.selector_id)
    return stored if stored == state else None


def _added_run(storage: PooledRunStorage, run: DagsterRun, *_created: Any) -> DagsterRun | None:
    return run if storage.has_run(run.run_id) else None


def _added_backfill(storage: PooledRunStorage, backfill: PartitionBackfill) -> PartitionBackfill | None:
    return storage.get_backfill(backfill.backfill_id)


@lasting(
    RunStorage,
    adds={"add_run": _added_run, "add_historical_run": _added_run, "add_backfill": _added_backfill},
)
class PooledRunStorage(LastingStorage, PostgresRunStorage):
    """Dagster's run storage on the shared pool."""

    # On the class: the base's constructor may read runs already.
    _has_stats_columns = False

    def connect(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """A connection of the shared pool."""
        return self._connection()

    def has_run_stats_index_cols(self) -> bool:
        """Whether the table has its newer columns: stock asks the catalogue at every read of a run."""
        self._has_stats_columns = self._has_stats_columns or super().has_run_stats_index_cols()
        return self._has_stats_columns

    def get_run_tags(
        self,
        tag_keys: Sequence[str],
        value_prefix: str | None = None,
        limit: int | None = None,
        projects: Sequence[str] | None = None,
    ) -> Sequence[tuple[str, set[str]]]:
        """The values of tags; with `projects`, those that runs of theirs have."""
        if projects is None:
            return super().get_run_tags(tag_keys, value_prefix, limit)
        query = _tags_of(projects, _TAGS.c.key, _TAGS.c.value).where(_TAGS.c.key.in_(tag_keys))
        if value_prefix:
            query = query.where(_TAGS.c.value.startswith(value_prefix, autoescape=True))
        if limit:
            query = query.limit(limit)
        found: dict[str, set[str]] = {}
        for row in self.fetchall(query):
            found.setdefault(row["key"], set()).add(row["value"])
        return sorted(found.items())

    def get_run_tag_keys(self, projects: Sequence[str] | None = None) -> Sequence[str]:
        """The names of tags; with `projects`, those that runs of theirs have."""
        if projects is None:
            return super().get_run_tag_keys()
        return [row["key"] for row in self.fetchall(_tags_of(projects, _TAGS.c.key))]


@lasting(ScheduleStorage, adds={"add_instigator_state": _added_state, "create_tick": _added_tick})
class PooledScheduleStorage(LastingStorage, PostgresScheduleStorage):
    """Dagster's schedule storage on the shared pool."""

    def connect(self, run_id: str | None = None) -> AbstractContextManager[sqlalchemy.Connection]:  # noqa: ARG002
        """A connection of the shared pool."""
        return self._connection()


@dataclass(frozen=True)
class DagsterStorages:
    """The three storages of the control plane."""

    runs: PooledRunStorage
    events: GroupCommitEventLogStorage
    schedules: PooledScheduleStorage
    engine: sqlalchemy.Engine

    def close(self) -> None:
        """End the writer and the pool."""
        self.events.close()
        self.engine.dispose()


def open_storages(url: str, guard: Guard | None = None, *, connections: int = 40) -> DagsterStorages:
    """Dagster's storages with the engine's role; makes the tables at the first start.

    `guard` may refuse a write of events in its own transaction: see `Guard`.
    """
    engine = sqlalchemy.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_pre_ping=True,
        pool_recycle=1800,
        **pool_of(connections),
    )
    return DagsterStorages(
        runs=PooledRunStorage(url, engine),
        events=GroupCommitEventLogStorage(url, engine, guard),
        schedules=PooledScheduleStorage(url, engine),
        engine=engine,
    )


def _tags_of(projects: Sequence[str], *columns: sqlalchemy.ColumnElement[str]) -> sqlalchemy.Select[Any]:
    stamp = sqlalchemy.alias(_TAGS, "stamps")
    return (
        sqlalchemy.select(*columns)
        .join_from(_TAGS, stamp, _TAGS.c.run_id == stamp.c.run_id)
        .where(stamp.c.key == PROJECT_TAG, stamp.c.value.in_(projects))
        .distinct()
        .order_by(*columns)
    )


def _is_only_a_signal(event: EventLogEntry) -> bool:
    # As stock Dagster: these are not kept by a storage that does not say it keeps them.
    return (
        event.dagster_event is not None
        and event.dagster_event.event_type is DagsterEventType.ASSET_FAILED_TO_MATERIALIZE
    )
