"""Dagster's three storages as project code meets them: every method is a call through the wall.

The classes are made from Dagster's own abstract ones, so that nothing that Dagster may call is
missing; which calls are answered, and with what of the project, the storage service decides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from phems.errors import RefusedError
from phems.host._dagster import (
    ConfigurableClass,
    ConfigurableClassData,
    EventLogStorage,
    RunStorage,
    ScheduleStorage,
)
from phems.host.event_buffer import EventBuffer
from phems.host.storage_client import StorageClient

# Concrete methods of the base classes that the service answers better than the base would.
_ALSO_REMOTE: dict[str, tuple[str, ...]] = {
    "runs": ("get_cursor_values", "set_cursor_values"),
    "events": ("store_event_batch", "get_asset_event_summary_records", "get_asset_partitions_for_run"),
    "schedules": (),
}
# What an author's laptop would also say of a storage: known without asking.
_LOCAL: dict[str, Any] = {
    "is_persistent": True,
    "supports_asset_checks": True,
    "supports_global_concurrency_limits": True,
    "supports_auto_materialize_asset_evaluations": True,
    "supports_partition_subset_in_asset_materialization_planned_events": True,
}
_LOCAL_METHODS: dict[str, Any] = {
    "can_read_asset_status_cache": False,
    "can_write_asset_status_cache": False,
    "supports_bucket_queries": True,
}
# Methods that no remote answer could serve: they take callbacks or reshape the database.
_NEVER: frozenset[str] = frozenset(
    {"watch", "end_watch", "upgrade", "migrate", "optimize", "reindex_assets", "reindex_events"}
)

_current_client: StorageClient | None = None
_current_buffer: EventBuffer | None = None


class _Discard(EventBuffer):
    """Takes events and forgets them; holds no client and starts no thread."""

    def __init__(self) -> None:
        """Nothing to hold."""

    def add(self, event: Any) -> None:
        """Forget it."""

    def flush(self) -> None:
        """Nothing to send."""


@contextmanager
def discard_events() -> Iterator[None]:
    """For the host's own warm-up: events written in the block go nowhere."""
    global _current_buffer  # noqa: PLW0603
    before, _current_buffer = _current_buffer, _Discard()
    try:
        yield
    finally:
        _current_buffer = before


def use_client(client: StorageClient, buffer: EventBuffer | None) -> None:
    """Make `client` the one that storages of this process speak through."""
    global _current_client, _current_buffer
    _current_client, _current_buffer = client, buffer


def current_client() -> StorageClient:
    """The client of this process; a code server's own is opened from its environment."""
    if _current_client is None:
        raise RefusedError(
            "This process has no capability for the storage service.",
            why=f"Process {os.getpid()} was not started by a project host.",
        )
    return _current_client


def _call(storage: str, name: str) -> Callable[..., Any]:
    def method(_self: Any, *args: Any, **kwargs: Any) -> Any:
        if _current_buffer is not None:
            _current_buffer.flush()  # what was written before must be seen by what is read now
        return current_client().call(storage, name, args, kwargs)

    method.__name__ = name
    return method


def _never(name: str) -> Callable[..., Any]:
    def method(_self: Any, *_args: Any, **_kwargs: Any) -> Any:
        raise RefusedError(f"Project code may not call {name} on the node's storage.")

    return method


def _store_event(_self: Any, event: Any) -> None:
    if _current_buffer is not None:
        _current_buffer.add(event)
    else:
        current_client().call("events", "store_event_batch", ([event],), {})


def _constant(answer: Any) -> Callable[[Any], Any]:
    return lambda _self: answer


def _storage_class(name: str, base: type, storage: str) -> type:
    members: dict[str, Any] = {"__doc__": f"{base.__name__} of a project, through the wall."}
    for method in (*sorted(base.__abstractmethods__), *_ALSO_REMOTE[storage]):  # type: ignore[attr-defined]
        members[method] = _never(method) if method in _NEVER else _call(storage, method)
    for method, answer in _LOCAL_METHODS.items():
        if hasattr(base, method):
            members[method] = _constant(answer)
    if storage == "runs":
        members["supports_bucket_queries"] = property(lambda _self: True)
    for attribute, answer in _LOCAL.items():
        if isinstance(getattr(base, attribute, None), property):
            members[attribute] = property(_constant(answer))
    if storage == "events":
        members["store_event"] = _store_event
    members["inst_data"] = property(lambda _self: None)
    members["config_type"] = classmethod(lambda _cls: {})
    members["from_config_value"] = classmethod(lambda cls, inst_data, config_value: cls())  # noqa: ARG005
    members["dispose"] = lambda _self: None
    return type(name, (base, ConfigurableClass), members)


WallRunStorage = _storage_class("WallRunStorage", RunStorage, "runs")
WallEventLogStorage = _storage_class("WallEventLogStorage", EventLogStorage, "events")
WallScheduleStorage = _storage_class("WallScheduleStorage", ScheduleStorage, "schedules")

__all__ = [
    "ConfigurableClassData",
    "WallEventLogStorage",
    "WallRunStorage",
    "WallScheduleStorage",
    "current_client",
    "use_client",
]
