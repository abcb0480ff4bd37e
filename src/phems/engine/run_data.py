"""Whether a step finds the data that its run was admitted with: asked before each start, told by `stat`.

A sandbox goes on showing the files that it was made with, whatever takes their names later, and a file can be
changed under it. So before a step starts, the files of now are held against two things: they hold what the
run's capsule says (`RunData`), and the sandbox was made with these very files (`HostPool.ensure`). A file is
read for that only when it has changed since it was last read, and then in a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from phems.domain.capsules import GrantedData, other_data
from phems.engine.step_queue import StepTask
from phems.errors import PhemsError, RefusedError

Data = Mapping[str, GrantedData]
"""Data sources by name, as run capsules say them."""
REFUSALS_KEPT = 256
NOT_STARTED = "The step was not started."


@dataclass(frozen=True)
class ShownFile:
    """A granted data source whose file is there; `identity` tells this file from any that replaces it.

    Its first two numbers are device and inode. `declared` is its version where node.yaml declares one: then
    there are no more, since such a file may change without being another.
    """

    place: str
    file: Path
    identity: tuple[int, ...]
    declared: str | None = None

    def was_changed_in_place(self, before: ShownFile) -> bool:
        """Whether it is the same file with another content, which a sandbox that showed it shows too."""
        return self.identity[:2] == before.identity[:2] and self.identity != before.identity


Shown = Mapping[str, ShownFile]
"""What a sandbox that is made now would show of a project's data, by name."""


class ProjectData(Protocol):
    """What projects may read now, by the rules in force and the files of this machine."""

    def shown(self, project: str) -> Shown:
        """Which files a sandbox that is made now would show. Costs a `stat` for each."""
        ...

    def known(self, shown: Shown) -> Data | None:
        """What a capsule says of these very files; None when one has to be read for that."""
        ...

    def read(self, shown: Shown) -> Data:
        """The same of the files that have these names now; may take minutes, and raise `UnavailableError`."""
        ...


class RunData:
    """See the module's docstring. `admitted(run_id)` is the data that a run was admitted with.

    `on_read(project)` is called from another thread when files have been read that a step waits for.
    """

    def __init__(
        self, data: ProjectData, admitted: Callable[[str], Data | None], on_read: Callable[[str], None]
    ) -> None:
        self._data = data
        self._admitted = admitted
        self._on_read = on_read
        self._reading: set[str] = set()
        self._refused: dict[str, RefusedError] = {}
        self._lock = threading.Lock()

    def shown(self, project: str) -> Shown:
        """See `ProjectData`."""
        return self._data.shown(project)

    def changed_since(self, project: str, before: Shown) -> list[str]:
        """The data sources that were changed in place: who read them meanwhile may have read some of both."""
        now = self._data.shown(project)
        return sorted(
            name for name, file in now.items() if name in before and file.was_changed_in_place(before[name])
        )

    def is_as_admitted(self, task: StepTask, shown: Shown) -> bool:
        """Whether these files hold what the run was admitted with; False while one is read to find out.

        Raises `RefusedError` when they hold something else: no step of the run starts any more.
        """
        if (refusal := self._refused.get(task.run_id)) is not None:
            raise refusal
        admitted = self._admitted(task.run_id)
        if admitted is None:
            raise RefusedError(NOT_STARTED, why="No admission of its run is on record.")
        known = self._data.known(shown)
        if known is None:
            self._read_beside(task, shown, admitted)
            return False
        _check(admitted, known)
        return True

    def _read_beside(self, task: StepTask, shown: Shown, admitted: Data) -> None:
        with self._lock:
            if task.run_id in self._reading:
                return
            self._reading.add(task.run_id)
        reading = threading.Thread(
            target=self._read, args=(task, shown, admitted), name="phems-read-data", daemon=True
        )
        reading.start()

    def _read(self, task: StepTask, shown: Shown, admitted: Data) -> None:
        try:
            # What is found is held against the capsule here: a file that changes all the time would never be
            # known when a step asks.
            _check(admitted, self._data.read(shown))
        except PhemsError as error:
            self._refuse(task.run_id, error)
        finally:
            with self._lock:
                self._reading.discard(task.run_id)
            self._on_read(task.project)

    def _refuse(self, run_id: str, error: PhemsError) -> None:
        refusal = error if isinstance(error, RefusedError) else RefusedError(f"{NOT_STARTED} {error}")
        with self._lock:
            while len(self._refused) >= REFUSALS_KEPT:
                del self._refused[next(iter(self._refused))]
            self._refused[run_id] = refusal


def _check(admitted: Data, found: Data) -> None:
    if other := other_data(admitted, found):
        raise RefusedError(
            NOT_STARTED,
            why=f"{other} while the run was under way.",
            remedy="Launch the job again.",
        )
