"""What a pod's step prints: into files of the pod, and from there over the wall, as it runs and at its end.

It does not stay in the log of the container: who may read pods' logs in a cluster is not the node's to say.
"""

from __future__ import annotations

import base64
import os
import tempfile

from phems.errors import PhemsError
from phems.host.storage_client import StorageClient

PART_BYTES = 1 << 20
STREAMS = {"stdout": 1, "stderr": 2}


class PodOutput:
    """Two files that a step's process has as stdout and stderr, and how far they were sent."""

    def __init__(self) -> None:
        self._files = {name: tempfile.TemporaryFile(buffering=0) for name in STREAMS}  # noqa: SIM115
        self._sent = dict.fromkeys(STREAMS, 0)
        self._is_refused = False

    def take_over(self) -> None:
        """Be this process's stdout and stderr; in the step's own process, before it says anything."""
        for name, descriptor in STREAMS.items():
            os.dup2(self._files[name].fileno(), descriptor)

    def send(self, client: StorageClient) -> None:
        """Send what was printed since; what is refused, or does not arrive, is not sent again."""
        for name, file in self._files.items():
            while not self._is_refused:
                part = os.pread(file.fileno(), PART_BYTES, self._sent[name])
                if not part:
                    break
                self._sent[name] += len(part)
                try:
                    client.call("step", "say", (name, base64.b64encode(part).decode()), {})
                except (PhemsError, OSError):
                    self._is_refused = True
