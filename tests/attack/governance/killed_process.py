"""A process of the node that is killed with kill -9 at a chosen point of what it does.

Points are: each statement that is sent to the database; before and after each commit; before and after each
fsync, rename and link. The process is a fork of the test's, with connections of its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from release_node import ReleaseNode
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

_DISK = ("fsync", "rename", "replace", "link")


@dataclass
class Fuse:
    """Kills the process at the n-th point, having told through a pipe which that was."""

    left: int
    told: int

    def point(self, name: str) -> None:
        """One point: the last, perhaps."""
        self.left -= 1
        if self.left == 0:
            os.write(self.told, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)


def killed_at(point: int, node: ReleaseNode, act: Callable[[ReleaseNode], object]) -> str | None:
    """Do `act` in another process, killed at a point: which that was; None when it came through."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            with _fused(Fuse(point, write)):
                act(node.elsewhere())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as told:
        name = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return name
    assert os.WEXITSTATUS(status) == 0, "the process failed; run the act in the test to see why"
    return None


def every_point(
    node: ReleaseNode, begin: Callable[[], str], act: Callable[[ReleaseNode, str], object]
) -> Iterator[tuple[str, str]]:
    """For each point of an act: a fresh request, killed there. Gives the request's name and the point's."""
    point = 0
    while True:
        point += 1
        name = begin()
        where = killed_at(point, node, lambda other, name=name: act(other, name))  # type: ignore[misc]
        if where is None:
            return
        yield name, f"point {point}, {where}"


@contextmanager
def _fused(fuse: Fuse) -> Iterator[None]:
    def around(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def fused(*arguments: Any, **options: Any) -> Any:
            fuse.point(f"before {name}")
            done = real(*arguments, **options)
            fuse.point(f"after {name}")
            return done

        return fused

    def statement(*arguments: Any) -> None:
        fuse.point(f"before {' '.join(str(arguments[2]).split())[:70]}")

    commit = around("commit", DefaultDialect.do_commit)
    event.listen(Engine, "before_cursor_execute", statement)
    with patch.object(DefaultDialect, "do_commit", commit):
        disk = [patch.object(os, name, around(name, getattr(os, name))) for name in _DISK]
        for patched in disk:
            patched.start()
        yield
