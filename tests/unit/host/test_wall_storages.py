"""The storages that project code meets: complete, without a way around the wall, and honest about it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, cast

import pytest
from dagster import DagsterInstance

from phems.errors import RefusedError
from phems.host import storages
from phems.host.event_buffer import EventBuffer
from phems.host.instance import WallInstance
from phems.host.storage_client import StorageClient
from phems.host.storages import WallEventLogStorage, WallRunStorage, WallScheduleStorage, discard_events

STORAGES = {"runs": WallRunStorage, "events": WallEventLogStorage, "schedules": WallScheduleStorage}


class Wall:
    """Notes what is asked of it; stands in for client and buffer alike."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def call(self, storage: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.asked.append((storage, method, args, kwargs))
        return "answer"

    def add(self, event: Any) -> None:
        self.asked.append(event)

    def flush(self) -> None:
        self.asked.append("flush")


@pytest.fixture
def wall() -> Iterator[Wall]:
    played = Wall()
    before = storages._current_client, storages._current_buffer
    storages.use_client(cast("StorageClient", played), cast("EventBuffer", played))
    yield played
    storages._current_client, storages._current_buffer = before


@pytest.mark.parametrize("name", STORAGES)
def test_nothing_is_left_for_python_to_refuse(name: str) -> None:
    """Otherwise a new abstract method of Dagster makes every step fail at its first line."""
    assert not inspect.isabstract(STORAGES[name])
    assert STORAGES[name]().inst_data is None


def test_a_question_waits_until_what_was_written_is_stored(wall: Wall) -> None:
    """Otherwise a step does not find the materialization that it has just made."""
    WallEventLogStorage().store_event("event")
    assert WallEventLogStorage().has_asset_key("key") == "answer"
    assert wall.asked == ["event", "flush", ("events", "has_asset_key", ("key",), {})]


@pytest.mark.parametrize("method", ["watch", "end_watch", "upgrade", "reindex_assets"])
def test_what_takes_callbacks_or_reshapes_the_database_is_refused_here(method: str, wall: Wall) -> None:
    """Otherwise it fails at the wall as a value that cannot cross, which says nothing."""
    with pytest.raises(RefusedError, match=method):
        getattr(WallEventLogStorage(), method)()
    assert wall.asked == []


def test_events_of_the_host_s_own_warm_up_go_nowhere(wall: Wall) -> None:
    """Otherwise every start of a host writes events of a run that does not exist."""
    with discard_events():
        WallEventLogStorage().store_event("warm-up")
    WallEventLogStorage().store_event("real")
    assert wall.asked == ["real"]


def test_without_a_capability_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a process that the node did not start speaks through another's connection."""
    monkeypatch.setattr(storages, "_current_client", None)
    monkeypatch.setattr(storages, "_current_buffer", None)
    with pytest.raises(RefusedError, match="no capability"):
        WallRunStorage().get_runs()


def test_a_step_s_instance_is_dagster_s_and_launches_nothing(wall: Wall) -> None:
    """Otherwise `context.instance` is no DagsterInstance, or starts runs past admission."""
    with WallInstance(file_key="step-1") as instance:
        assert isinstance(instance, DagsterInstance)
        assert instance.compute_log_manager.build_log_key_for_run("r", "s") == ["r", "compute_logs", "step-1"]
        with pytest.raises(RefusedError, match="another process"):
            instance.get_ref()
        context = type("Context", (), {"dagster_run": type("Run", (), {"run_id": "r"})})()
        with pytest.raises(RefusedError, match="may not launch runs"):
            instance.run_launcher.launch_run(context)
