"""What a failing database means for the person who acts: one place that turns its errors into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2 import errorcodes
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from phems.adapters.postgres.reconnect import is_unreachable
from phems.errors import UnavailableError

_DISK_FULL = frozenset({errorcodes.DISK_FULL, errorcodes.INSUFFICIENT_RESOURCES, errorcodes.OUT_OF_MEMORY})


_BUSY = frozenset({errorcodes.LOCK_NOT_AVAILABLE, errorcodes.DEADLOCK_DETECTED, errorcodes.QUERY_CANCELED})


@contextmanager
def database_failures() -> Iterator[None]:
    """Raise UnavailableError when the database cannot be reached, or has no room, in the block."""
    try:
        yield
    except PoolTimeout as error:
        raise _busy("every connection was in use for too long.") from error
    except DBAPIError as error:
        code = getattr(error.orig, "pgcode", None)
        if code in _DISK_FULL:
            raise UnavailableError(
                "The database has no room left; nothing was done.",
                why=str(error.orig).strip(),
                remedy="Make room on the disk of the node's data folder, then do it again.",
            ) from error
        if code in _BUSY:
            raise _busy(str(error.orig).strip()) from error
        if isinstance(error, OperationalError) or is_unreachable(error):
            raise UnavailableError(
                "The database cannot be reached; nothing was done.",
                why=str(error.orig).strip(),
                remedy="See whether the node runs: phems status",
            ) from error
        raise


def _busy(why: str) -> UnavailableError:
    return UnavailableError(
        "The database is too busy; nothing was done.",
        why=why,
        remedy="Try again; if it stays so, look at what is running: phems status",
    )
