"""Which of a node's control processes leads: the one whose session holds an advisory lock in Postgres.

The others wait for the lock in the database, so that one of them has it the moment that the leader's session
ends, however it ends. A leader whose session is lost leads no more, and says so before anything else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import psycopg2
import psycopg2.extensions

_LOG = logging.getLogger("phems.leadership")
LOOK_SECONDS = 1.0
AGAIN_SECONDS = 0.5
# A peer that is cut off is noticed in about so many seconds, by both ends.
_KEEPALIVE: Mapping[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4000,
    "connect_timeout": 4,
}
# Who waits for the lock and is gone gives its place in the row up: Postgres 14 and later look now and then.
_NOTICE_THE_END = """
    SELECT set_config('client_connection_check_interval', '1000', false)
    WHERE current_setting('server_version_num')::int >= 140000
"""


class Leadership:
    """Waits for its turn in a thread of its own; `on_gain` and `on_loss` are called there, in turn."""

    def __init__(self, url: str, on_gain: Callable[[], None], on_loss: Callable[[], None]) -> None:
        self._url = url
        self._on_gain = on_gain
        self._on_loss = on_loss
        self._closed = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        self._waiting: psycopg2.extensions.connection | None = None
        self._thread = threading.Thread(target=self._run, name="phems-leadership", daemon=True)

    def start(self) -> None:
        """Begin to wait for the lock."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Lead no more; `on_loss` has been called when this returns."""
        self._closed.set()
        os.write(self._wake_write, b"1")
        if self._thread.ident is not None:
            self._interrupt()
            while self._thread.is_alive():
                self._thread.join(LOOK_SECONDS)
                self._interrupt()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _interrupt(self) -> None:
        """End the wait for the lock. Nobody is asked for that: a database that does not answer would hold up
        every thread of this process, for libpq's own way to cancel waits for it within one call."""
        connection = self._waiting
        if connection is not None:
            with (
                contextlib.suppress(OSError, psycopg2.Error),
                socket.socket(fileno=os.dup(connection.fileno())) as own,
            ):
                own.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._wait_and_lead()
            except psycopg2.Error as error:
                if not self._closed.is_set():
                    _LOG.warning(
                        "the lock of the leader cannot be had (%s); tried again", type(error).__name__
                    )
            except Exception:  # noqa: BLE001 (without this thread nobody leads, or no other can)
                _LOG.warning("to lead could not be begun or ended in order; tried again", exc_info=True)
            self._closed.wait(AGAIN_SECONDS)

    def _wait_and_lead(self) -> None:
        with contextlib.closing(psycopg2.connect(self._url, **_KEEPALIVE)) as connection:
            connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
                cursor.execute("SET lock_timeout = 0")
                cursor.execute(_NOTICE_THE_END)
                self._wait(connection, cursor)
                if not self._closed.is_set():
                    self._lead(cursor)

    def _wait(self, connection: psycopg2.extensions.connection, cursor: psycopg2.extensions.cursor) -> None:
        self._waiting = connection
        try:
            if not self._closed.is_set():
                cursor.execute("SELECT pg_advisory_lock(hashtext('phems leader'))")
        finally:
            self._waiting = None

    def _lead(self, cursor: psycopg2.extensions.cursor) -> None:
        try:
            self._on_gain()
            while not self._closed.is_set():
                if select.select([self._wake_read], [], [], LOOK_SECONDS)[0]:
                    break
                cursor.execute("SELECT 1")
        finally:
            self._on_loss()
