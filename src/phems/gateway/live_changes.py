"""Telling open pages that something changed: who listens, what each may be told, and at what pace.

`tell` is called from any thread; each listener belongs to the event loop of its own request. What a page is
told is a topic's name alone: it asks for the page anew, and sees what it may see.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress

from phems.domain.live_changes import Changed, Topic, changed_from
from phems.gateway.settings import Membership

MOST_PER_PERSON = 5
"""Fewer than the six connections that a browser opens to one node: the pages themselves need some."""
PACE_SECONDS = 0.5
"""Between two messages to one page: a run writes thousands of events, and each message reads a page anew."""


class LiveChanges:
    """The open pages that listen."""

    def __init__(self, membership: Membership, *, most_per_person: int = MOST_PER_PERSON) -> None:
        self._membership = membership
        self._most = most_per_person
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._is_closed = False

    @property
    def has_listeners(self) -> bool:
        """Whether anybody would be told."""
        return bool(self._listeners)

    def takes(self, person: str) -> bool:
        """Whether the person may open one more page that listens."""
        with self._lock:
            own = sum(listener.person == person for listener in self._listeners)
            return not self._is_closed and own < self._most

    @contextmanager
    def listening(self, person: str) -> Iterator[Listener]:
        """One open page, for as long as the block lasts; within the event loop of its request."""
        listener = Listener(person)
        with self._lock:
            if self._is_closed:
                listener.ended.set()
            self._listeners.add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def tell(self, changed: Changed) -> None:
        """Tell all who may know; from any thread."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            if changed.topic not in listener.pending and self._may_know(listener.person, changed):
                listener.add(changed.topic)

    def told(self, payload: str) -> None:
        """The same, from a notification."""
        changed = changed_from(payload)
        if changed is not None:
            self.tell(changed)

    def close(self) -> None:
        """End every open stream, and take no more: the gateway stops."""
        with self._lock:
            self._is_closed = True
            listeners = list(self._listeners)
        for listener in listeners:
            listener.end()

    def _may_know(self, person: str, changed: Changed) -> bool:
        membership = self._membership
        if changed.topic == "policy" and changed.project is None:
            return membership.may_somewhere(person, changed.needs)  # the node's own rules
        return membership.may_in(person, changed.project, changed.needs)


class Listener:
    """One open page. Made in the event loop of its request; `add` and `end` are called from any thread."""

    def __init__(self, person: str) -> None:
        self.person = person
        self.pending: dict[Topic, None] = {}
        self.ended = asyncio.Event()
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def topics(self) -> AsyncIterator[Topic]:
        """What changed, as it changes, until the node stops."""
        while not self.ended.is_set():
            await self._woken.wait()
            self._woken.clear()
            topics = list(self.pending)
            self.pending.clear()
            for topic in topics:
                yield topic
            with suppress(TimeoutError):  # the pace, cut short by the end
                await asyncio.wait_for(self.ended.wait(), PACE_SECONDS)

    def add(self, topic: Topic) -> None:
        """Have a topic told."""
        self._in_loop(lambda: self.pending.setdefault(topic))

    def end(self) -> None:
        """Have the stream end."""
        self._in_loop(self.ended.set)

    def _in_loop(self, change: Callable[[], object]) -> None:
        def changed() -> None:
            change()
            self._woken.set()

        with suppress(RuntimeError):  # the loop is gone, and so is the page
            self._loop.call_soon_threadsafe(changed)
