"""How a serving node is: a check for each of its parts, and its numbers. For probes and metrics."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Protocol

from phems import __version__
from phems.adapters.files.disk_space import LocalDisks
from phems.adapters.postgres import node_state
from phems.bootstrap.lineage import targets_named
from phems.bootstrap.node import Node
from phems.domain.metrics import Reading, pairs
from phems.domain.release_states import UNDER_REVIEW
from phems.domain.waiting import UNDECIDED_CODE
from phems.engine.control_plane import ControlPlane
from phems.engine.hosts import HostState
from phems.errors import UnavailableError
from phems.services.lineage_events import standings

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
        self._governance = node.database.engine("governance")
        self._disks = LocalDisks({"data": node.paths.data_dir, "releases": node.paths.release_zone})

    def checks(self) -> Mapping[str, Check]:
        """Each part of the node with its check."""
        threads: dict[str, Living] = {
            "orchestrator": self._control.orchestrator,
            "storage_service": self._control.storage_service,
            **self._threads,
        }
        return {
            "postgres": partial(node_state.check_reachable, self._governance),
            "migrations": partial(node_state.check_migrated, self._governance),
            "audit_log": self._node.audit.check_takes_entries,
            "daemons": self._check_daemons,
            **{name: partial(_check_thread, name, thread) for name, thread in threads.items()},
        }

    def read(self) -> Iterator[Reading]:
        """The numbers of now; what cannot be read is left out, and `phems_ready` says so."""
        yield Reading("build_info", [({"version": __version__}, 1)])
        for numbers in (
            self._of_process,
            self._of_sessions,
            self._of_decisions,
            self._of_notifications,
            self._of_lineage,
            self._of_audit_log,
            self._of_runs,
            self._of_steps,
            self._of_hosts,
        ):
            try:
                yield from list(numbers())
            except Exception:  # noqa: BLE001 (the other numbers are wanted most when something is wrong)
                _LOG.warning("some metrics could not be read", exc_info=True)

    def _of_process(self) -> Iterator[Reading]:
        yield Reading("leading", [({}, float(self._control.is_leading))])
        disks = self._disks.space()
        yield Reading("disk_bytes", [({"disk": disk.place}, disk.total_bytes) for disk in disks])
        yield Reading("disk_free_bytes", [({"disk": disk.place}, disk.free_bytes) for disk in disks])

    def _of_sessions(self) -> Iterator[Reading]:
        yield Reading("sessions_open", [({}, node_state.open_sessions(self._governance))])

    def _of_decisions(self) -> Iterator[Reading]:
        for name, counts, undecided in (
            ("code_revisions", node_state.code_revisions(self._governance), UNDECIDED_CODE),
            ("release_requests", node_state.release_requests(self._governance), UNDER_REVIEW),
        ):
            yield Reading(name, _by_state(counts))
            oldest = dict.fromkeys((count.project for count in counts), 0.0)
            for count in counts:
                if count.state in undecided:
                    oldest[count.project] = max(oldest[count.project], count.oldest_seconds)
            yield Reading(
                f"{name}_oldest_seconds", [({"project": project}, age) for project, age in oldest.items()]
            )

    def _of_notifications(self) -> Iterator[Reading]:
        with self._node.governance.transaction() as work:
            counts = work.notifications.counts()
        yield Reading(
            "notifications",
            [({"state": state}, counts.get(state, 0)) for state in ("WAITING", "SENT", "GIVEN_UP")],
        )

    def _of_lineage(self) -> Iterator[Reading]:
        found = standings(self._node.governance, targets_named(self._node.declared))
        yield Reading("lineage_events_waiting", [({"target": each.name}, each.waiting) for each in found])
        failing = [({"target": each.name}, float(bool(each.failure))) for each in found]
        yield Reading("lineage_failing", failing)

    def _of_audit_log(self) -> Iterator[Reading]:
        size, signed = self._node.audit.sizes()
        yield Reading("audit_entries", [({}, size)])
        yield Reading("audit_unsigned_entries", [({}, max(0, size - signed))])
        if self._node.anchoring is not None:
            missing = [({"anchor": state.name}, state.behind) for state in self._node.anchoring.states()]
            yield Reading("audit_unanchored_entries", missing)

    def _of_runs(self) -> Iterator[Reading]:
        counts = self._control.counts
        yield Reading("admissions", pairs(counts.admissions.read(), "at", "result"))
        yield Reading("runs", _by_state(node_state.unfinished_runs(self._node.database.engine("dagster"))))
        yield Reading("runs_driven", [({}, self._control.orchestrator.driving())])
        yield Reading("runs_ended", pairs(counts.runs.read(), "project", "result"))

    def _of_steps(self) -> Iterator[Reading]:
        ended = self._control.counts.attempts.read()
        yield Reading("step_attempts_ended", pairs(ended, "project", "result"))
        depths = sorted(self._control.steps.depths().items())
        yield Reading("steps_waiting", [({"project": project}, waiting) for project, (waiting, _) in depths])
        yield Reading("steps_running", [({"project": project}, count) for project, (_, count) in depths])

    def _of_hosts(self) -> Iterator[Reading]:
        states = Counter(host.state for host in self._control.host_status())
        yield Reading("hosts", [({"state": state.value}, states[state]) for state in HostState])
        calls = self._control.storage_service.calls()
        yield Reading("storage_calls", pairs(calls, "method", "result"))

    def _check_daemons(self) -> None:
        if self._control.daemons is None:
            raise UnavailableError("The daemons do not run.", why="They were not started.")
        self._control.daemons.check()


def _check_thread(name: str, thread: Living) -> None:
    if not thread.is_alive():
        raise UnavailableError(f"The {name} does not run.", why="Its thread has ended.", remedy="phems serve")


def _by_state(counts: Iterable[node_state.StateCount]) -> list[tuple[Mapping[str, str], float]]:
    return [({"project": count.project, "state": count.state}, count.number) for count in counts]
