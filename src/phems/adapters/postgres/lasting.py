"""What Dagster's three storages share here: one pool, and methods that outlive a restart of Postgres.

A method that may be done twice is done again when the connection was lost, whatever came of it: reads, and
writes that set a state. A method that adds something is one transaction, and is done again only when what it
adds is not found. See docs/adr/0031-when-the-database-is-away.md.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from phems.adapters.postgres.reconnect import done_again, reconnecting

Found = Callable[..., Any]
"""Called with a storage and what was to be added: what the method would have given, or None for nothing."""

S = TypeVar("S", bound="type[LastingStorage]")


class LastingStorage:
    """Mixed in before one of Dagster's storages: its connections come from a pool that all three share."""

    _engine: Engine

    def __init__(self, url: str, engine: Engine) -> None:
        self._current = threading.local()
        super().__init__(url)  # type: ignore[call-arg]  # Dagster's: makes its tables
        self._engine.dispose()
        self._engine = engine

    def optimize_for_webserver(self, *_args: Any, **_kwargs: Any) -> None:
        """The pool is set already."""

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """One of the pool, or that of the transaction which this thread is in."""
        current: Connection | None = getattr(self._current, "connection", None)
        if current is not None:
            yield current
            return
        with reconnecting(self._engine.connect) as connection:
            yield connection

    @contextmanager
    def _one_transaction(self) -> Iterator[Connection]:
        """Whatever this thread asks of the storage in the block is one transaction."""
        with self._engine.connect() as pooled:
            connection = pooled.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                self._current.connection = connection
                try:
                    yield connection
                finally:
                    self._current.connection = None


def lasting(interface: type, *, adds: Mapping[str, Found], own: Collection[str] = ()) -> Callable[[S], S]:
    """Decorates a storage: every method of Dagster's `interface` outlives a restart of Postgres.

    `adds` has, for each method that adds something, how to find what it added. `own` see to it themselves.
    """

    def decorate(storage: S) -> S:
        for name in dir(interface):
            method = getattr(storage, name)
            if name.startswith("_") or name in own or not _asks_database(storage, interface, name):
                continue
            setattr(storage, name, _adding(method, adds[name]) if name in adds else done_again(method))
        return storage

    return decorate


def _asks_database(storage: type, interface: type, name: str) -> bool:
    # What the interface does itself, it does by its other methods.
    member = inspect.getattr_static(storage, name)
    is_inherited = member is inspect.getattr_static(interface, name)
    return inspect.isfunction(member) and not inspect.isgeneratorfunction(member) and not is_inherited


def _adding(method: Callable[..., Any], found: Found) -> Callable[..., Any]:
    @wraps(method)
    def outliving(self: LastingStorage, *args: Any, **kwargs: Any) -> Any:
        tries = 0

        def work() -> Any:
            nonlocal tries
            tries += 1
            is_again = tries > 1
            if is_again and (there := found(self, *args, **kwargs)) is not None:
                return there
            try:
                with self._one_transaction():
                    return method(self, *args, **kwargs)
            except Exception:
                # The server may have been at the commit of the try before when this one looked.
                if is_again and (there := found(self, *args, **kwargs)) is not None:
                    return there
                raise

        return reconnecting(work)

    return outliving
