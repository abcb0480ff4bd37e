"""A forked process that may use so much memory and time, and says one thing before it ends."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

MAX_BYTES = 4 << 20
SCRATCH_BYTES = 1 << 30
_CHUNK = 1 << 16
# Between the signal that says what was used up and the one that cannot be caught.
_CPU_GRACE_SECONDS = 1


class Child:
    """Forks, and runs `say` in the child; what it gives is read with `listen`.

    Leaving the `with` block ends the child and all that it started. `trouble` then tells why it did not
    come to its end by itself; None when it did. Memory in bytes of private writable memory.
    """

    trouble: str | None = None

    def __init__(self, say: Callable[[], bytes], *, memory: int, cpu_seconds: int) -> None:
        self._reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _become(say, writer, memory, cpu_seconds)
        os.close(writer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._reader)
        # A child that closed its pipe has ended, or is about to.
        status = self._status() if self.trouble is None else None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        if status is None:
            _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if self.trouble is None and code:
            self.trouble = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def listen(self, deadline: float) -> bytes:
        """All that it says until it closes its end. `deadline` as `time.monotonic`."""
        said = bytearray()
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._reader], [], [], left)[0]:
                break
            part = os.read(self._reader, _CHUNK)
            if not part:
                self._deadline = deadline
                return bytes(said)
            said += part
            if len(said) > MAX_BYTES:
                self.trouble = f"it said more than {MAX_BYTES:,} bytes"
                return b""
        self.trouble = "it took too long"
        return b""

    def _status(self) -> int | None:
        """How it ended; None when it closed its pipe and lives on."""
        pidfd = os.pidfd_open(self._pid)
        try:
            ended = select.select([pidfd], [], [], max(self._deadline - time.monotonic(), 0))[0]
        finally:
            os.close(pidfd)
        if not ended:
            self.trouble = "it took too long"
            return None
        return os.waitpid(self._pid, 0)[1]


def _become(say: Callable[[], bytes], writer: int, memory: int, cpu_seconds: int) -> None:
    """Be the child, from the fork to the end."""
    code = 1
    try:
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        for kind, limit in (
            (resource.RLIMIT_DATA, (memory, memory)),
            (resource.RLIMIT_CPU, (cpu_seconds + 1, cpu_seconds + 1 + _CPU_GRACE_SECONDS)),
            (resource.RLIMIT_FSIZE, (SCRATCH_BYTES, SCRATCH_BYTES)),
            (resource.RLIMIT_CORE, (0, 0)),
        ):
            resource.setrlimit(kind, limit)
        said = memoryview(say())
        while said:
            said = said[os.write(writer, said) :]
        code = 0
    finally:
        os._exit(code)
