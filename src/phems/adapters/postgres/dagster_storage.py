"""Dagster's own Postgres storages on one shared connection pool, with events committed in groups.

Stock Dagster opens a connection per operation and commits each event alone. Here the three storages
share a pool that checks its connections, and one writer thread stores what has come in since its last
commit as one transaction: under load many events share one commit, and without load none waits.
The writer is also what makes the ids of events rise in the order of their commits, so that a reader
with a cursor misses none.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from phems.engine._dagster import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    DagsterEventType,
    EventLogEntry,
    RunTagsTable,
    SqlEventLogStorageTable,
)
from phems.engine.tags import PROJECT_TAG

_TAGS = RunTagsTable
EVENT_CHANNEL = "run_events"
MAX_GROUP = 1000
POOL_SIZE = 10
POOL_OVERFLOW = 30


# Rows are given apart from the statement, so that it is compiled once, whatever the size of a group.
_INSERT_EVENTS = SqlEventLogStorageTable.insert().returning(
    SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
)


@dataclass
class _Pending:
    events: Sequence[EventLogEntry]
    done: Future[None] = field(default_factory=Future)


class GroupCommitEventLogStorage(PostgresEventLogStorage):
    """Dagster's event log on Postgres, written in groups by one thread."""

    def __init__(self, url: str, engine: sqlalchemy.Engine) -> None:
        super().__init__(url)
        self._engine.dispose()
        self._engine = engine
        self._known_tables: set[str] = set()
        self._inbox: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="phems-event-writer", daemon=True)
        self._writer.start()

    def optimize_for_webserver(self, *_args: Any, **_kwargs: Any) -> None:
        """The pool is set already."""

    def has_table(self, table_name: str) -> bool:
        """Whether a table exists; asked of the database until it does."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event; returns when it is committed."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in their order; returns when they are committed."""
        stored = [event for event in events if not _is_only_a_signal(event)]
        if stored:
            pending = _Pending(stored)
            self._inbox.put(pending)
            pending.done.result()

    def close(self) -> None:
        """Write what is waiting and end the writer."""
        self._inbox.put(None)
        self._writer.join()

    def _write(self) -> None:
        while (first := self._inbox.get()) is not None:
            group = [first]
            size = len(first.events)
            while size < MAX_GROUP and not self._inbox.empty():
                pending = self._inbox.get()
                if pending is None:
                    self._inbox.put(None)
                    break
                group.append(pending)
                size += len(pending.events)
            self._commit(group)

    def _commit(self, group: list[_Pending]) -> None:
        try:
            self._store([event for pending in group for event in pending.events])
        except Exception as error:  # noqa: BLE001 (told to who waits for it)
            if len(group) == 1:
                group[0].done.set_exception(error)
                return
            for pending in group:  # one bad batch must not take the others with it
                self._commit([pending])
            return
        for pending in group:
            pending.done.set_result(None)

    def _store(self, events: list[EventLogEntry]) -> None:
        with self.index_transaction() as conn:
            rows = [self._event_to_row(event) for event in events]
            ids = [int(row[0]) for row in conn.execute(_INSERT_EVENTS, rows)]
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
            last = {event.run_id: event_id for event, event_id in zip(events, ids, strict=True)}
            for run_id, event_id in last.items():
                conn.execute(
                    sqlalchemy.text("SELECT pg_notify(:channel, :payload)"),
                    {"channel": EVENT_CHANNEL, "payload": f"{run_id}_{event_id}"},
                )
        for event, event_id in zip(events, ids, strict=True):
            if event.is_dagster_event and event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)


class PooledRunStorage(PostgresRunStorage):
    """Dagster's run storage on the shared pool."""

    # On the class: the base's constructor may read runs already.
    _has_stats_columns = False

    def __init__(self, url: str, engine: sqlalchemy.Engine) -> None:
        super().__init__(url)
        self._engine.dispose()
        self._engine = engine

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

    def optimize_for_webserver(self, *_args: Any, **_kwargs: Any) -> None:
        """The pool is set already."""


class PooledScheduleStorage(PostgresScheduleStorage):
    """Dagster's schedule storage on the shared pool."""

    def __init__(self, url: str, engine: sqlalchemy.Engine) -> None:
        super().__init__(url)
        self._engine.dispose()
        self._engine = engine

    def optimize_for_webserver(self, *_args: Any, **_kwargs: Any) -> None:
        """The pool is set already."""


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


def open_storages(url: str) -> DagsterStorages:
    """Dagster's storages with the engine's role; makes the tables at the first start."""
    engine = sqlalchemy.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_pre_ping=True,
        pool_recycle=1800,
    )
    return DagsterStorages(
        runs=PooledRunStorage(url, engine),
        events=GroupCommitEventLogStorage(url, engine),
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
