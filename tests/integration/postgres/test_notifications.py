"""Listening to Postgres: what was missed is looked at, and nothing ends the listening."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import text

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.notifications import Notifications
from phems.errors import UnavailableError

CHANNEL = "told"
_CUT = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")


class Ears:
    """What was heard, and how often everything was looked at; both may find the database away."""

    def __init__(self) -> None:
        self.heard: queue.Queue[str] = queue.Queue()
        self.looks: queue.Queue[str] = queue.Queue()
        self.away = 0

    def hear(self, payload: str) -> None:
        self._ask_database()
        self.heard.put(payload)

    def look(self) -> None:
        self._ask_database()
        self.looks.put("looked")

    def _ask_database(self) -> None:
        if self.away:
            self.away -= 1
            raise UnavailableError("It is away.") from psycopg2.OperationalError(
                "server closed the connection"
            )


@pytest.fixture
def ears(database: Database) -> Iterator[Ears]:
    """Somebody who listens."""
    made = Ears()
    listener = Notifications(database.url("dagster"), {CHANNEL: made.hear}, made.look)
    yield made
    assert listener.is_alive()
    listener.close()


def tell(database: Database, payload: str) -> None:
    with database.engine("dagster").begin() as connection:
        connection.execute(text(f"SELECT pg_notify('{CHANNEL}', :payload)"), {"payload": payload})


def test_after_a_gap_everything_is_looked_at_though_the_database_goes_away_meanwhile(
    ears: Ears, database: Database
) -> None:
    """Otherwise a second fault, in the moment of catching up, leaves a node that hears nothing any more."""
    ears.away = 2
    with database.engine("admin").connect() as connection:
        connection.execute(_CUT)
    assert ears.looks.get(timeout=60) == "looked"
    tell(database, "later")
    assert ears.heard.get(timeout=60) == "later"


def test_what_could_not_be_acted_on_is_looked_at_later(ears: Ears, database: Database) -> None:
    """Otherwise an approval that came as the database was away for a moment is never followed."""
    ears.away = 2
    tell(database, "lost on the way")
    assert ears.looks.get(timeout=60) == "looked"
    tell(database, "later")
    assert ears.heard.get(timeout=60) == "later"
