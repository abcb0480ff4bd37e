"""What the running node says of itself, in a file that `phems status` reads: no port, no login, no secret."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phems.adapters.durable_files import replace
from phems.engine.control_plane import ControlPlane


class StatusFile:
    """Writes the node's status; for the node's user alone, because it may hold project code's text."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = ""

    def write(self, control: ControlPlane, url: str, sandbox: str, warnings: Sequence[str] = ()) -> None:
        """Write it when it has changed."""
        hosts = [{**asdict(host), "state": host.state.value} for host in control.hosts.status()]
        status: dict[str, Any] = {
            "pid": os.getpid(),
            "url": url,
            "sandbox": sandbox,
            "hosts": hosts,
            "queues": {name: {"waiting": w, "running": r} for name, (w, r) in control.queue.depths().items()},
            "runs": control.orchestrator.driving(),
            "warnings": list(warnings),
        }
        text = json.dumps(status, indent=1)
        if text != self._last:
            replace(self._path, text.encode(), mode=0o600)
            self._last = text

    def remove(self) -> None:
        """The node has stopped."""
        self._path.unlink(missing_ok=True)


def read_status(path: Path) -> dict[str, Any] | None:
    """The status of a running node; None when it does not run. `age` is in seconds since it was written."""
    try:
        status: dict[str, Any] = json.loads(path.read_text())
        os.kill(int(status["pid"]), 0)
        status["age"] = time.time() - path.stat().st_mtime
    except (OSError, ValueError, KeyError):
        return None
    return status
