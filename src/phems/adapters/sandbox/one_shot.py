"""A Python program of the node's own that looks at hostile files, once: a walled process, JSON in, JSON out.

Under bubblewrap, where it works, the process sees the files it is given, read-only, an empty `/tmp`, and no
network. Without it, it has the node's rights: who calls says so to people, or refuses.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from phems.adapters.sandbox import walls
from phems.adapters.sandbox.environment import BASE_ENVIRONMENT, interpreter, python_folders


@dataclass(frozen=True)
class _Program:
    """A command, its environment, and the files that it inherits."""

    command: Sequence[str]
    environment: Mapping[str, str]
    inherit: tuple[int, ...] = ()


class OneShotPython:
    """Runs `python -m MODULE`, walled off where bubblewrap works."""

    def __init__(self, module: str) -> None:
        self._module = module

    @cached_property
    def _bwrap(self) -> str | None:
        return walls.find()

    @cached_property
    def _namespaces(self) -> Sequence[str]:
        return walls.namespaces(self._bwrap) if self._bwrap else ()

    @property
    def is_isolating(self) -> bool:
        """Whether bubblewrap works here."""
        return self._bwrap is not None

    def run(
        self, asked: IO[bytes], answer: IO[bytes], shown: Mapping[Path, Path], seconds: float
    ) -> str | None:
        """Run it to its end, `asked` its stdin and `answer` its stdout; what went wrong, or None.

        `shown` are the files and folders that it may read: where it sees them, and where they lie.
        """
        with self._program(shown) as program:
            return _run(program, asked, answer, seconds)

    @contextlib.contextmanager
    def _program(self, shown: Mapping[Path, Path]) -> Iterator[_Program]:
        python = interpreter(None)
        program = [str(python), "-I", "-m", self._module]
        if self._bwrap is None:
            yield _Program(program, dict(BASE_ENVIRONMENT))
            return
        mounts = walls.system_mounts(python_folders(python))
        for inside, outside in shown.items():
            mounts += ["--ro-bind-try", str(outside), str(inside)]
        walled = walls.enclosed(mounts, folder="/tmp", namespaces=self._namespaces)  # noqa: S108 - inside
        with walls.filter_file() as filter_fd:
            if filter_fd is None:
                yield _Program([self._bwrap, *walled, *program], {})
            else:
                withheld = ["--seccomp", str(filter_fd)]
                yield _Program([self._bwrap, *withheld, *walled, *program], {}, (filter_fd,))


def _run(program: _Program, asked: IO[bytes], answer: IO[bytes], seconds: float) -> str | None:
    """Run it to its end; what went wrong, or None."""
    try:
        process = subprocess.Popen(
            list(program.command),
            stdin=asked,
            stdout=answer,
            stderr=subprocess.DEVNULL,  # it may quote what the files hold
            env=dict(program.environment),
            pass_fds=program.inherit,
            start_new_session=True,
        )
    except OSError as error:
        return f"the process could not be started: {error}"
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"the process did not end within {seconds:.0f} seconds"
    finally:
        # With --die-with-parent the sandbox goes with bubblewrap.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return f"the process ended with {status}" if status else None
