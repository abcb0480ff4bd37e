"""What steps in pods print, as they say it over the wall: kept in files where Dagster looks for it.

The files are those that a step in a sandbox has as its stdout and stderr. What a file may hold is bounded.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping
from pathlib import Path

from phems.contract.capability import Capability
from phems.engine.step_queue import StepTask
from phems.engine.worker import log_file_key
from phems.errors import InputError, RefusedError, UnavailableError

_LOG = logging.getLogger("phems.worker")
STREAMS: Mapping[str, str] = {"stdout": "out", "stderr": "err"}


class StepOutput:
    """The output of one worker's steps; `most_bytes` is what a stream of an attempt may hold."""

    def __init__(self, logs: Path, most_bytes: int) -> None:
        self._logs = logs
        self._most_bytes = most_bytes

    def hear(self, capability: Capability, stream: object, said: object) -> None:
        """Keep a part (base64) of what an attempt printed."""
        if not isinstance(stream, str) or stream not in STREAMS or not isinstance(said, str):
            raise InputError("A step prints to stdout and stderr, and nowhere else.")
        try:
            part = base64.b64decode(said, validate=True)
        except binascii.Error as error:
            raise InputError("What a step prints comes in base64.", why=str(error)) from error
        attempt = (capability.run_id or "", capability.step_key or "", capability.attempt or 0)
        file = self._file(*attempt, STREAMS[stream])
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as kept:
                room = self._most_bytes - kept.tell()
                kept.write(part[: max(0, room)])
        except OSError as error:
            raise UnavailableError(
                "What the step prints could not be kept.", why=error.strerror or str(error)
            ) from error
        if len(part) > room:
            raise RefusedError(
                f"A step may print {self._most_bytes} bytes to {stream}.",
                remedy="Print less, or raise resources.file_size of the project in node.yaml.",
            )

    def ended(self, task: StepTask) -> None:
        """The attempt prints no more."""
        marker = self._file(*task.key, "complete")
        try:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
        except OSError as error:  # what the step said is less than how it ended
            _LOG.warning("%s could not be made (%s)", marker, error.strerror)

    def _file(self, run_id: str, step_key: str, attempt: int, ending: str) -> Path:
        return self._logs / run_id / "compute_logs" / f"{log_file_key(step_key, attempt)}.{ending}"
