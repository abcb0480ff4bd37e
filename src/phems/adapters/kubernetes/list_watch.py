"""A picture of the objects with some labels that is kept up to date: a list, then a watch from there on.

A watch that ends is resumed from the last version seen; one that is too old (410) begins again with a
list. No answer is a miss; many misses in a row are told once, and tried again all the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from phems.adapters.kubernetes.answers import ClusterAwayError, TooOldError
from phems.adapters.kubernetes.api import ClusterApi, Object, Watch
from phems.errors import PhemsError

_LOG = logging.getLogger("phems.kubernetes")
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
GONE = 410


class ListWatch:
    """The objects of one kind; `objects` by name, to be read and not changed.

    `on_change(object)` is called for each that came, changed or went, as it was last; `on_silence(error)`
    when the server has failed to answer `misses` times in a row. Both come from this watch's own thread.
    """

    def __init__(
        self,
        api: ClusterApi,
        kind: str,
        namespace: str,
        selector: str,
        *,
        misses: int,
        on_change: Callable[[Object], None],
        on_silence: Callable[[PhemsError], None],
    ) -> None:
        self.objects: dict[str, Object] = {}
        self._api = api
        self._of = (kind, namespace, selector)
        self._most_misses = misses
        self._on_change = on_change
        self._on_silence = on_silence
        self._misses = 0
        self._version: str | None = None
        self._watch: Watch | None = None
        self._closed = threading.Event()
        self._listed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"phems-watch-{kind}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the first picture."""
        return self._listed.wait(seconds)

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        while self._thread.is_alive():
            if (watch := self._watch) is not None:
                with suppress(Exception):  # it may have ended by itself
                    watch.cut()
            self._thread.join(0.1)

    def _run(self) -> None:
        while not self._closed.is_set():
            pause: float = 0.0
            try:
                self._look()
            except TooOldError:
                self._version = None
                pause = FIRST_PAUSE_SECONDS
            except PhemsError as error:
                pause = self._missed(error)
            except Exception as error:  # noqa: BLE001 (whatever it was: a watch that ends is a run that hangs)
                _LOG.error("a watch failed (%s); it begins anew", type(error).__name__)
                self._version = None
                pause = self._missed(ClusterAwayError("A watch failed.", why=type(error).__name__))
            self._closed.wait(pause)

    def _look(self) -> None:
        if self._version is None:
            items, self._version = self._api.list(*self._of)
            self._misses = 0
            self._replace(items)
            self._listed.set()
        with self._api.watch(*self._of, self._version) as watch:
            self._misses = 0
            self._watch = watch
            try:
                for kind, found in watch.events():
                    if self._closed.is_set():
                        return
                    self._take(kind, found)
            finally:
                self._watch = None

    def _replace(self, items: list[Object]) -> None:
        before, self.objects = self.objects, {_name(item): item for item in items}
        for name in before.keys() | self.objects.keys():
            if before.get(name) != self.objects.get(name):
                self._on_change(self.objects.get(name) or before[name])

    def _take(self, kind: str, found: Object) -> None:
        if kind == "ERROR":
            if found.get("code") == GONE:
                raise TooOldError("The watch is too old.")
            raise ClusterAwayError("The watch has failed.", why=str(found.get("message"))[:200])
        self._version = found["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            return
        name = _name(found)
        if kind == "DELETED":
            self.objects.pop(name, None)
        else:
            self.objects[name] = found
        self._on_change(found)

    def _missed(self, error: PhemsError) -> float:
        """Count it; gives how long to wait."""
        if self._closed.is_set():
            return 0.0
        self._misses += 1
        if self._misses == self._most_misses:
            _LOG.warning("the cluster has not answered %d times in a row", self._misses)
            self._on_silence(error)
        return pause_after(self._misses, error)


def pause_after(misses: int, error: Any) -> float:
    """How long to wait after so many misses in a row; as long as the server says, where it does."""
    told = getattr(error, "retry_after", None)
    if told is not None:
        return min(float(told), LONGEST_PAUSE_SECONDS)
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(misses - 1, 10), LONGEST_PAUSE_SECONDS)


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])
