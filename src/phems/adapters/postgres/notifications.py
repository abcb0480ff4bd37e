"""Listening to Postgres: what NOTIFY says on a channel, told to whoever asked, without polling."""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable, Mapping

import psycopg2
import psycopg2.extensions

from phems.adapters.postgres.reconnect import is_unreachable

_LOG = logging.getLogger("phems.notifications")
RECONNECT_SECONDS = 1.0

Listener = Callable[[str], None]


class Notifications:
    """One connection that listens on several channels; reconnects when it is lost.

    `listeners` maps a channel to what is called with each payload, in the listening thread.
    `on_reconnect` is called after a gap, in which notifications may have been missed, or could not be acted
    on because the database went away meanwhile; again and again, until it is not hindered by that.
    """

    def __init__(self, url: str, listeners: Mapping[str, Listener], on_reconnect: Callable[[], None]) -> None:
        self._url = url
        self._listeners = dict(listeners)
        self._on_reconnect = on_reconnect
        self._wake_read, self._wake_write = os.pipe()
        self._closed = threading.Event()
        self._connection = self._connect()
        self._thread = threading.Thread(target=self._listen, name="phems-notifications", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        os.write(self._wake_write, b"1")
        self._thread.join()
        self._connection.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(self._url)
        connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
        with connection.cursor() as cursor:
            for channel in self._listeners:
                cursor.execute(f'LISTEN "{channel}"')
        return connection

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                self._wait_and_tell()
            except psycopg2.Error:
                self._reconnect()

    def _wait_and_tell(self) -> None:
        ready, _, _ = select.select([self._connection.fileno(), self._wake_read], [], [])
        if self._wake_read in ready:
            return
        self._connection.poll()
        has_missed = False
        while self._connection.notifies:
            notice = self._connection.notifies.pop(0)
            try:
                self._listeners[notice.channel](notice.payload)
            except Exception as error:  # noqa: BLE001 (one listener must not silence the others)
                _LOG.exception("a listener of %s failed", notice.channel)
                has_missed = has_missed or is_unreachable(error)
        if has_missed:
            self._catch_up()

    def _reconnect(self) -> None:
        while not self._closed.wait(RECONNECT_SECONDS):
            try:
                self._connection = self._connect()
            except psycopg2.Error:
                continue
            self._catch_up()
            return

    def _catch_up(self) -> None:
        while not self._closed.is_set():
            try:
                self._on_reconnect()
            except Exception as error:  # noqa: BLE001 (what listens must not end)
                _LOG.exception("what was missed could not be looked at")
                if is_unreachable(error) and not self._closed.wait(RECONNECT_SECONDS):
                    continue
            return
