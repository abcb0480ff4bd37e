"""Keeps the embedded Postgres running: starts it again when it ended by itself (a kill, a full disk)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from phems.adapters.postgres.embedded import EmbeddedPostgres
from phems.errors import PhemsError

_LOG = logging.getLogger("phems.postgres")

LONGEST_PAUSE = 30.0


class PostgresKeeper:
    """Starts a server and holds it up until `stop`. Connections of before are lost, pools make new ones."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._stopping = threading.Event()
        # Held while the server is started or stopped, so that a stop never passes a start by.
        self._changing = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="phems-postgres-keeper", daemon=True)

    def start(self) -> None:
        """Start the server; raises what its start raises. From then on it is watched."""
        self._server.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, and stop the server. Idempotent."""
        self._stopping.set()
        with self._changing:
            self._server.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self._server.wait()
            if self._stopping.is_set():
                return
            _LOG.error("Postgres ended by itself; it is started again. Its log: %s", self._server.log)
            self._restart()

    def _restart(self) -> None:
        for pause in _pauses():
            with self._changing:
                if self._stopping.is_set():
                    return
                try:
                    self._server.start()
                except (PhemsError, OSError) as error:
                    _LOG.error("Postgres cannot be started again yet: %s", error)
                else:
                    return
            if self._stopping.wait(pause):
                return


def _pauses() -> Iterator[float]:
    pause = 0.5
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)
