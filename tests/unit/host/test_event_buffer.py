"""The event buffer: in order, in batches, soon; and a step cannot succeed whose events were not stored."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from phems.errors import UnavailableError
from phems.host import event_buffer
from phems.host.event_buffer import MAX_BATCH, EventBuffer
from phems.host.storage_client import StorageClient

SECONDS = 10.0


class Service:
    """Keeps what is stored; fails while `problem` is set."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.changed = threading.Condition()
        self.problem: Exception | None = None
        self.renewals = 0

    def call(self, storage: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        assert (storage, method, kwargs) == ("events", "store_event_batch", {})
        if self.problem is not None:
            raise self.problem
        with self.changed:
            self.batches.append(list(args[0]))
            self.changed.notify_all()

    def renew_if_due(self) -> None:
        self.renewals += 1

    def until_stored(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.stored) >= count, SECONDS)

    @property
    def stored(self) -> list[Any]:
        return [event for batch in self.batches for event in batch]


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def buffer(service: Service) -> EventBuffer:
    return EventBuffer(cast("StorageClient", service))


def test_events_are_stored_soon_though_nobody_asks(service: Service, buffer: EventBuffer) -> None:
    """Otherwise a long step looks dead: nothing of it is seen until it ends."""
    buffer.add("one")
    service.until_stored(1)
    assert service.renewals >= 1


def test_flush_returns_when_all_is_stored_in_order(service: Service, buffer: EventBuffer) -> None:
    """Otherwise a step that reads what it has just written does not find it."""
    for number in range(MAX_BATCH + 50):
        buffer.add(number)
    buffer.flush()
    assert service.stored == list(range(MAX_BATCH + 50))
    assert max(len(batch) for batch in service.batches) <= MAX_BATCH


def test_events_of_many_threads_are_all_stored_each_in_its_order(
    service: Service, buffer: EventBuffer
) -> None:
    """Otherwise a step with threads loses log lines."""
    threads = [
        threading.Thread(target=lambda name=name: [buffer.add((name, n)) for n in range(300)])
        for name in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    buffer.close()
    for name in "abc":
        assert [n for who, n in service.stored if who == name] == list(range(300))


def test_what_could_not_be_stored_is_told_to_who_flushes(service: Service, buffer: EventBuffer) -> None:
    """Otherwise a step ends well whose success nobody recorded."""
    service.problem = UnavailableError("the node is gone")
    buffer.add("lost")
    with pytest.raises(UnavailableError, match="the node is gone"):
        buffer.flush()


def test_what_could_not_be_stored_in_the_background_is_told_to_who_adds_next(
    service: Service, buffer: EventBuffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a step computes for hours after its node has refused its events."""
    monkeypatch.setattr(event_buffer, "LINGER_SECONDS", 0.0)
    service.problem = UnavailableError("refused")
    buffer.add("one")
    assert buffer._thread is not None
    buffer._thread.join(SECONDS)
    with pytest.raises(UnavailableError, match="refused"):
        buffer.add("two")
    with pytest.raises(UnavailableError, match="refused"):
        buffer.close()


def test_close_stores_what_waits_and_ends_the_thread(service: Service, buffer: EventBuffer) -> None:
    """Otherwise the last events of a step are lost, its success among them."""
    buffer.add("last")
    thread = buffer._thread
    buffer.close()
    assert service.stored == ["last"]
    assert thread is not None
    thread.join(SECONDS)
    assert not thread.is_alive()
