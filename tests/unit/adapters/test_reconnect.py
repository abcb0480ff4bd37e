"""What is tried again when Postgres is away, and what is not."""

from __future__ import annotations

import threading

import psycopg2
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from phems.adapters.postgres.reconnect import is_unreachable, reconnecting
from phems.errors import UnavailableError


class Coded(psycopg2.OperationalError):
    """An error with a code of the server's."""

    def __init__(self, code: str | None) -> None:
        super().__init__("what the server said")
        self.code = code

    @property
    def pgcode(self) -> str | None:  # type: ignore[override]
        return self.code


def failing(code: str | None, *, invalidated: bool = False) -> DBAPIError:
    return OperationalError("SELECT 1", {}, Coded(code), connection_invalidated=invalidated)


AWAY = [
    failing(None),  # libpq could not connect
    failing("57P01"),
    failing("57P02"),
    failing("57P03"),
    failing("08006"),
    failing("25P03"),
    failing("42P01", invalidated=True),
    PoolTimeout(),
]
THERE = [
    failing("57014"),  # the statement took too long
    failing("55P03"),
    failing("53100"),  # the disk is full
    IntegrityError("INSERT", {}, psycopg2.IntegrityError("twice")),
    ValueError("no"),
]


def raising(error: Exception, times: int) -> tuple[list[int], object]:
    """Something that fails so often, and then gives how often it was done."""
    done: list[int] = []

    def work() -> int:
        done.append(1)
        if len(done) <= times:
            raise error
        return len(done)

    return done, work


@pytest.mark.parametrize("error", AWAY, ids=str)
def test_what_means_that_there_is_no_server_is_tried_again(error: Exception) -> None:
    """Otherwise a restart of Postgres fails what happens in that second."""
    assert is_unreachable(error)
    _done, work = raising(error, 2)
    assert reconnecting(work) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("error", THERE, ids=str)
def test_what_a_server_says_is_not_tried_again(error: Exception) -> None:
    """Otherwise a statement that can never succeed keeps its caller for a minute."""
    assert not is_unreachable(error)
    done, work = raising(error, 2)
    with pytest.raises(type(error)):
        reconnecting(work)  # type: ignore[arg-type]
    assert len(done) == 1


def test_an_error_made_of_one_is_one() -> None:
    """Otherwise a wrapper on the way (Dagster's, or ours) hides that the server is away."""
    wrapped = UnavailableError("It is away.")
    wrapped.__cause__ = failing("57P01")
    assert is_unreachable(wrapped)
    assert not is_unreachable(UnavailableError("Something else."))


def test_it_ends_when_the_time_is_up_or_the_node_stops() -> None:
    """Otherwise a database that never comes back keeps a node from stopping."""
    for patience, stopping in ((0.0, None), (60.0, threading.Event())):
        if stopping is not None:
            stopping.set()
        done, work = raising(failing(None), 9)
        with pytest.raises(UnavailableError, match="cannot be reached") as raised:
            reconnecting(work, patience=patience, stopping=stopping)  # type: ignore[arg-type]
        assert "what the server said" in raised.value.why
        assert len(done) == 1


def test_within_another_it_is_the_outer_one_that_tries_again() -> None:
    """Otherwise each level waits a minute, and half of some work is done again without its beginning."""
    inner_done, inner = raising(failing(None), 1)
    outer_done: list[int] = []

    def outer() -> object:
        outer_done.append(1)
        return reconnecting(inner)  # type: ignore[arg-type]

    assert reconnecting(outer) == 2
    assert len(outer_done) == len(inner_done) == 2
