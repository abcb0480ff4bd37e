"""One thread that stores batches of events in groups: what came in since the last commit is the next one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError

from phems.engine._dagster import EventLogEntry
from phems.errors import PhemsError

MAX_GROUP = 1000


@dataclass
class _Pending:
    events: Sequence[EventLogEntry]
    done: Future[None] = field(default_factory=Future)


class EventWriter:
    """Calls `store` with groups of events, in the order they came; `write` returns when they are stored."""

    def __init__(self, store: Callable[[list[EventLogEntry]], None]) -> None:
        self._store = store
        self._inbox: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="phems-event-writer", daemon=True)
        self._thread.start()

    def write(self, events: Sequence[EventLogEntry]) -> None:
        """Store a batch; raises what kept it from being stored."""
        pending = _Pending(events)
        self._inbox.put(pending)
        pending.done.result()

    def close(self) -> None:
        """Store what is waiting and end the thread."""
        self._inbox.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._inbox.get()) is not None:
            group = [first]
            size = len(first.events)
            while size < MAX_GROUP and not self._inbox.empty():
                pending = self._inbox.get()
                if pending is None:
                    self._inbox.put(None)
                    break
                group.append(pending)
                size += len(pending.events)
            self._commit(group)

    def _commit(self, group: list[_Pending]) -> None:
        try:
            self._store([event for pending in group for event in pending.events])
        except (PhemsError, OperationalError) as error:
            # The database or the guard, and no batch, is the reason: each alone would fare no better.
            for pending in group:
                pending.done.set_exception(error)
        except Exception as error:  # noqa: BLE001 (told to who waits for it)
            if len(group) == 1:
                group[0].done.set_exception(error)
                return
            for pending in group:  # one bad batch must not take the others with it
                self._commit([pending])
        else:
            for pending in group:
                pending.done.set_result(None)
