"""What the running node says of itself, in a file that `phems status` reads: no port, no login, no secret."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phems.adapters.durable_files import replace
from phems.services.ports.node_health import (
    ControlRole,
    PoolWorker,
    ProjectHost,
    RunningNode,
    StepQueueDepth,
)

if TYPE_CHECKING:  # who reads the file needs no Dagster, which takes seconds to import
    from phems.engine.control_plane import ControlPlane

_SAID_AGAIN_SECONDS = 5.0


class StatusFile:
    """The node's status; for the node's user alone, because it may hold project code's text."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = ""
        self._said_at = 0.0

    def write(
        self,
        control: ControlPlane,
        url: str,
        warnings: Sequence[str] = (),
        roles: Sequence[ControlRole] = (),
    ) -> None:
        """Write it when it has changed; touch it now and then, so that its age says that the node is well."""
        launcher = control.hosts.launcher
        hosts = [{**asdict(host), "state": host.state.value} for host in control.host_status()]
        status: dict[str, Any] = {
            "pid": os.getpid(),
            "url": url,
            "sandbox": launcher.describe(),
            "is_isolating": launcher.is_isolating,
            "roles": [asdict(role) for role in roles],
            "hosts": hosts,
            "queues": {name: {"waiting": w, "running": r} for name, (w, r) in control.steps.depths().items()},
            "lag": {name: round(seconds, 1) for name, seconds in control.steps.lag().items()},
            "workers": [{**asdict(beat.facts), "running": beat.running} for beat in control.steps.workers()],
            "runs": control.orchestrator.driving(),
            "warnings": list(warnings),
        }
        text = json.dumps(status, indent=1)
        now = time.monotonic()
        if text != self._last:
            replace(self._path, text.encode(), mode=0o600)
            self._last, self._said_at = text, now
        elif now - self._said_at >= _SAID_AGAIN_SECONDS:
            os.utime(self._path)
            self._said_at = now

    def remove(self) -> None:
        """The node has stopped; what another process of it says stays."""
        if self._last:
            self._path.unlink(missing_ok=True)

    def running(self) -> RunningNode | None:
        """What the running node last said; None when none runs."""
        found = read_status(self._path)
        if found is None:
            return None
        try:
            return RunningNode(
                pid=found["pid"],
                url=found["url"],
                sandbox=found["sandbox"],
                is_isolating=found["is_isolating"],
                roles=tuple(ControlRole(**role) for role in found["roles"]),
                hosts=tuple(ProjectHost(**host) for host in found["hosts"]),
                queues=tuple(
                    StepQueueDepth(project=name, **depth, lag_seconds=found["lag"].get(name))
                    for name, depth in found["queues"].items()
                ),
                workers=tuple(PoolWorker(**worker) for worker in found["workers"]),
                runs=found["runs"],
                warnings=tuple(found["warnings"]),
                age_seconds=found["age"],
            )
        except (KeyError, TypeError):  # written by another version of the node
            return None


def read_status(path: Path) -> dict[str, Any] | None:
    """The status of a running node; None when it does not run. `age` is in seconds since it was written."""
    try:
        status: dict[str, Any] = json.loads(path.read_text())
        os.kill(int(status["pid"]), 0)
        status["age"] = time.time() - path.stat().st_mtime
    except (OSError, ValueError, KeyError):
        return None
    return status
