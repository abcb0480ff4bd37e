"""How a serving node is: a check for each of its parts, and its numbers. For probes and metrics."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol

from phems import __version__
from phems.adapters.postgres import node_state
from phems.bootstrap.node import Node
from phems.domain.gauges import Gauge
from phems.engine.control_plane import ControlPlane
from phems.engine.hosts import HostState
from phems.errors import UnavailableError

_LOG = logging.getLogger("phems.metrics")

Check = Callable[[], None]


class Living(Protocol):
    """A part that is a thread: alive or not."""

    def is_alive(self) -> bool: ...


class NodeWatch:
    """Looks at one serving node; every method blocks."""

    def __init__(self, node: Node, control: ControlPlane, threads: Mapping[str, Living]) -> None:
        self._node = node
        self._control = control
        self._threads = threads

    def checks(self) -> Mapping[str, Check]:
        """Each part of the node with its check."""
        governance = self._node.database.engine("governance")
        threads: dict[str, Living] = {
            "orchestrator": self._control.orchestrator,
            "storage_service": self._control.storage_service,
            **self._threads,
        }
        return {
            "postgres": partial(node_state.check_reachable, governance),
            "migrations": partial(node_state.check_migrated, governance),
            "audit_log": self._node.audit.check_takes_entries,
            "daemons": self._check_daemons,
            **{name: partial(_check_thread, name, thread) for name, thread in threads.items()},
        }

    def read(self) -> Iterator[Gauge]:
        """The numbers of now; what cannot be read is left out, and `phems_ready` says so."""
        yield Gauge("build_info", "The version of the node.", [({"version": __version__}, 1)])
        for numbers in (self._of_database, self._of_audit_log, self._of_engine):
            try:
                yield from list(numbers())
            except Exception:  # noqa: BLE001 (the other numbers are wanted most when something is wrong)
                _LOG.warning("some metrics could not be read", exc_info=True)

    def _of_database(self) -> Iterator[Gauge]:
        sessions = node_state.open_sessions(self._node.database.engine("governance"))
        yield Gauge("sessions_open", "Sessions of people that are open.", [({}, sessions)])

    def _of_audit_log(self) -> Iterator[Gauge]:
        size, signed = self._node.audit.sizes()
        yield Gauge("audit_entries", "Entries of the audit log.", [({}, size)])
        about = "Entries that no signed checkpoint covers: none for longer than a moment."
        yield Gauge("audit_unsigned_entries", about, [({}, max(0, size - signed))])
        if self._node.anchoring is not None:
            missing = [({"anchor": state.name}, state.behind) for state in self._node.anchoring.states()]
            yield Gauge("audit_unanchored_entries", "Entries that an outside anchor has not.", missing)

    def _of_engine(self) -> Iterator[Gauge]:
        depths = sorted(self._control.steps.depths().items())
        by_project = [({"project": project}, waiting) for project, (waiting, _) in depths]
        yield Gauge("steps_waiting", "Steps in a project's queue.", by_project)
        running = [({"project": project}, count) for project, (_, count) in depths]
        yield Gauge("steps_running", "Steps that run.", running)
        yield Gauge("runs_driven", "Runs on their way.", [({}, self._control.orchestrator.driving())])
        states = Counter(host.state for host in self._control.hosts.status())
        by_state = [({"state": state.value}, states[state]) for state in HostState]
        yield Gauge("hosts", "Project hosts by state.", by_state)
        calls = [
            ({"method": method, "result": result}, count)
            for (method, result), count in sorted(self._control.storage_service.calls().items())
        ]
        yield Gauge("storage_calls", "Calls of the storage service by project code.", calls, "counter")

    def _check_daemons(self) -> None:
        if self._control.daemons is None:
            raise UnavailableError("The daemons do not run.", why="They were not started.")
        self._control.daemons.check()


def _check_thread(name: str, thread: Living) -> None:
    if not thread.is_alive():
        raise UnavailableError(f"The {name} does not run.", why="Its thread has ended.", remedy="phems serve")
