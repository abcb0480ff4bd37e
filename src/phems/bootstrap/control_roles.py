"""Which control roles run in this process: each has a thread, by whose name it is known to live."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence

from phems.engine.control_plane import ControlPlane
from phems.services.ports.node_health import ControlRole

THREADS: Mapping[str, str] = {
    "gateway": "phems-gateway",
    "orchestrator": "phems-orchestrator",
    "storage service": "phems-storage",
    "publisher": "phems-publisher",
}
"""The names of the roles' threads, by role."""
DAEMON = "daemon"


def control_roles(control: ControlPlane, *, without: Sequence[str] = ()) -> Sequence[ControlRole]:
    """The roles of this process, and whether each runs; `without` names those that it was not to have."""
    living = {thread.name for thread in threading.enumerate()}
    roles = [
        _role(role, "" if thread in living else "its thread has ended; see the node's log.")
        for role, thread in THREADS.items()
        if role not in without
    ]
    if control.daemons is not None:
        roles.append(_role(DAEMON, _failure_of_daemons(control)))
    return roles


def _failure_of_daemons(control: ControlPlane) -> str:
    try:
        if control.daemons is not None:
            control.daemons.check()
    except Exception as error:  # noqa: BLE001 (Dagster raises its bare one; it is what is told)
        return str(error)
    return ""


def _role(name: str, error: str) -> ControlRole:
    return ControlRole(name=name, pid=os.getpid(), is_running=not error, error=error)
