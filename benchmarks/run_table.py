"""Watching runs to their end by reading the status from each side's own table, the same way everywhere.

Asking a web server instead would bill each side for the question: here one cheap statement is sent
on a connection of its own, every 5 ms at first and then at intervals of 1 % of the time waited, so that
the end of a run is seen to within 1 % and a long wait costs nobody anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg2

SHORTEST_TICK = 0.005
LONGEST_TICK = 0.1
TICK_SHARE = 0.01


@dataclass(frozen=True)
class Statuses:
    """Where a side keeps how its runs are: the statement that reads them, and the words for an end."""

    statement: str
    ended: frozenset[str]


DAGSTER = Statuses(
    "SELECT run_id, status FROM runs WHERE run_id = ANY(%s)", frozenset({"SUCCESS", "FAILURE", "CANCELED"})
)


class RunTable:
    """The table of runs in one side's database."""

    def __init__(self, address: str, statuses: Statuses = DAGSTER) -> None:
        self._statuses_kept = statuses
        self._connection = psycopg2.connect(address)
        self._connection.autocommit = True

    def wait(self, run_ids: Iterable[str], seconds: float) -> dict[str, str]:
        """Wait until all have ended; gives status by run, as far as they came in time."""
        wanted = set(run_ids)
        began = time.monotonic()
        while True:
            found = self._statuses(wanted)
            if len(found) == len(wanted) and self._statuses_kept.ended.issuperset(found.values()):
                return found
            waited = time.monotonic() - began
            if waited >= seconds:
                return found
            time.sleep(min(max(SHORTEST_TICK, waited * TICK_SHARE), LONGEST_TICK))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _statuses(self, run_ids: set[str]) -> dict[str, str]:
        with self._connection.cursor() as cursor:
            cursor.execute(self._statuses_kept.statement, (list(run_ids),))
            return dict(cursor.fetchall())
