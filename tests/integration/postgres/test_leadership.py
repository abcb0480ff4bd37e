"""Who leads among a node's control processes: one at a time, and nothing that goes wrong ends the waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from tests.fresh_databases import socket_file
from tests.tcp_proxy import TcpProxy

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.leadership import Leadership

SECONDS = 30.0


class Turns:
    """Counts the turns of one process; the first few cannot be begun."""

    def __init__(self, *, failing: int = 0) -> None:
        self.leads = threading.Event()
        self.ends = 0
        self._failing = failing

    def gain(self) -> None:
        if self._failing:
            self._failing -= 1
            raise RuntimeError("the database went away again")
        self.leads.set()

    def lose(self) -> None:
        self.ends += 1
        self.leads.clear()


@contextmanager
def waiting(url: str, turns: Turns) -> Iterator[Leadership]:
    """A process that waits for its turn, until the end of the block."""
    leadership = Leadership(url, turns.gain, turns.lose)
    with closing(leadership):
        leadership.start()
        yield leadership


@pytest.fixture
def proxy(database: Database) -> Iterator[TcpProxy]:
    """Before the database."""
    with TcpProxy(socket_file(database)) as proxy:
        yield proxy


def test_a_turn_that_cannot_be_begun_is_tried_again(database: Database) -> None:
    """Otherwise a node whose database is shaky drives nothing any more, and looks alive."""
    turns = Turns(failing=2)
    with waiting(database.url("dagster"), turns) as leadership:
        assert turns.leads.wait(SECONDS)
        assert leadership.is_alive()
    assert turns.ends == 3, "each turn that was begun is ended"


def test_who_waits_is_stopped_at_once_and_gives_its_place_up(database: Database) -> None:
    """A process that was stopped must not be handed the lead: nobody would drive the runs."""
    url = database.url("dagster")
    first, second, third = Turns(), Turns(), Turns()
    with waiting(url, first):
        assert first.leads.wait(SECONDS)
        with waiting(url, second):
            assert not second.leads.wait(1.0)
        with waiting(url, third):
            assert not third.leads.wait(0.2)
            assert first.leads.is_set()
    assert (first.ends, second.ends, third.ends) == (1, 0, 0)
    with waiting(url, third):
        assert third.leads.wait(SECONDS)


def test_a_stop_does_not_wait_for_a_database_that_does_not_answer(
    database: Database, proxy: TcpProxy
) -> None:
    """Whoever stops a node because its database is away must not wait for that database."""
    through = database.address("dagster").set(host="127.0.0.1", port=proxy.port, query={})
    first, second = Turns(), Turns()
    with waiting(database.url("dagster"), first):
        assert first.leads.wait(SECONDS)
        begun = time.monotonic()
        with waiting(through.render_as_string(hide_password=False), second):
            while proxy.connections == 0:
                assert time.monotonic() < begun + SECONDS
            assert not second.leads.wait(1.0)
            proxy.pause()
    assert second.ends == 0
