"""The event buffer: a step's events cross the wall in batches, in order, soon, and none is lost.

The first event waits at most `LINGER_SECONDS` for company; `flush` returns when the control plane
has stored all that was added before. A flush that fails is raised to who added next, so that a step
cannot succeed whose events were not stored.
"""

from __future__ import annotations

import threading
from typing import Any

from phems.host.storage_client import StorageClient

LINGER_SECONDS = 0.1
MAX_BATCH = 200


class EventBuffer:
    """Events on their way to the storage service, sent by one background thread or by `flush`."""

    def __init__(self, client: StorageClient) -> None:
        self._client = client
        self._events: list[Any] = []
        self._condition = threading.Condition()
        self._sending = threading.Lock()
        self._closed = False
        self._is_idle = False
        self._problem: BaseException | None = None
        self._thread: threading.Thread | None = None

    def add(self, event: Any) -> None:
        """Add one event; sends at once when a batch is full."""
        with self._condition:
            self._raise_problem()
            self._events.append(event)
            full = len(self._events) >= MAX_BATCH
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="phems-events", daemon=True)
                self._thread.start()
            elif self._is_idle:  # one that lingers comes by itself: to wake it for each event costs more
                self._is_idle = False
                self._condition.notify()
        if full:
            self.flush()

    def flush(self) -> None:
        """Send all that was added before; returns when it is stored."""
        with self._sending:
            with self._condition:
                self._raise_problem()
                events, self._events = self._events, []
            if events:
                self._client.call("events", "store_event_batch", (events,), {})

    def use(self, client: StorageClient) -> None:
        """Send what is added from now on through `client`: the next step has its own capability."""
        with self._sending, self._condition:
            self._raise_problem()
            self._client = client

    def close(self) -> None:
        """Flush, and end the background thread."""
        self.flush()
        with self._condition:
            self._closed = True
            self._condition.notify()

    def _raise_problem(self) -> None:
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        while True:
            with self._condition:
                self._is_idle = not self._events
                self._condition.wait_for(lambda: self._closed or bool(self._events), timeout=60)
                self._is_idle = False
                # Let events that belong together travel together.
                if self._condition.wait_for(lambda: self._closed, LINGER_SECONDS):
                    return
            try:
                self._client.renew_if_due()
                self.flush()
            except Exception as error:  # noqa: BLE001 - raised again where the step can see it
                with self._condition:
                    self._problem = error
                return
