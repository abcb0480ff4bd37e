"""Trying again when Postgres cannot be reached: when that is so, how often, and for how long.

A restart of the server, a failover or a cut cable ends every connection at once. Whoever may do the same
work again waits here until there is a server; see docs/adr for who may.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import psycopg2
from psycopg2 import errorcodes
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from phems.errors import UnavailableError

_LOG = logging.getLogger("phems.postgres")
P = ParamSpec("P")
T = TypeVar("T")

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
PATIENCE = 60.0
"""Seconds from the first failure to the last attempt."""

_ENDED_BY_SERVER = frozenset(
    {
        errorcodes.ADMIN_SHUTDOWN,
        errorcodes.CRASH_SHUTDOWN,
        errorcodes.CANNOT_CONNECT_NOW,
        errorcodes.IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    }
)
_CONNECTION_CLASS = "08"
_AT_WORK = threading.local()


def is_unreachable(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, means that there is no connection to a working server."""
    while error is not None:
        if isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and error.connection_invalidated):
            return True
        # SQLAlchemy does not wrap all of the driver's errors: not those of a change of the isolation level.
        driver_error = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(driver_error, psycopg2.Error) and _is_lost(driver_error):
            return True
        error = error.__cause__
    return False


def reconnecting(
    work: Callable[[], T], *, patience: float = PATIENCE, stopping: threading.Event | None = None
) -> T:
    """What `work` gives; done again while the server cannot be reached, for up to `patience` seconds.

    `work` must be safe to do again when it is not known how far it came. With `stopping` set, the next
    failure is the last. UnavailableError when the time is up; every other error is raised as it is. Within
    the work of another call it is done once: the outer one does all of it again.
    """
    if getattr(_AT_WORK, "is_set", False):
        return work()
    _AT_WORK.is_set = True
    try:
        return persistently(work, patience=patience, stopping=stopping)
    finally:
        _AT_WORK.is_set = False


def done_again(method: Callable[P, T]) -> Callable[P, T]:
    """Decorates what may be done twice: it is done again while the server cannot be reached."""

    @wraps(method)
    def outliving(*args: P.args, **kwargs: P.kwargs) -> T:
        return reconnecting(partial(method, *args, **kwargs))

    return outliving


def persistently(
    work: Callable[[], T], *, patience: float = PATIENCE, stopping: threading.Event | None = None
) -> T:
    """As `reconnecting`, within the work of another call too: for a question that the outer one waits for."""
    deadline: float | None = None
    never = stopping or threading.Event()
    for pause in _pauses():
        try:
            return work()
        except Exception as error:
            if not is_unreachable(error):
                raise
            now = time.monotonic()
            deadline = deadline or now + patience
            if now + pause > deadline or never.wait(pause):
                raise UnavailableError(
                    "The database cannot be reached.",
                    why=_reason(error),
                    remedy="See whether the node and its Postgres run: phems status",
                ) from error
            _LOG.warning("the database cannot be reached, it is tried again: %s", _reason(error))
    raise AssertionError  # the pauses never end


def _is_lost(error: psycopg2.Error) -> bool:
    if error.pgcode is None:
        # libpq gives no code when it could not connect, or when the connection broke.
        return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
    return error.pgcode in _ENDED_BY_SERVER or error.pgcode.startswith(_CONNECTION_CLASS)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)


def _reason(error: BaseException) -> str:
    cause = error.__cause__ if error.__cause__ is not None and not isinstance(error, DBAPIError) else error
    return str(getattr(cause, "orig", cause)).strip()
