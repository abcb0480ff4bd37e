"""Waiting until a node has started and has loaded the approved code of its projects."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from phems.errors import UnavailableError

LOOK_AGAIN_SECONDS = 0.2
_FAILED = "FAILED"  # a `HostState`, which the command's start does not import
_SETTLED = {"READY", _FAILED}

Status = Mapping[str, Any]


def when_loaded(status: Callable[[], Status], project: str | None, *, within: float) -> Status:
    """The node's status when all code, or that of `project`, has loaded or has failed to.

    UnavailableError when it has not come to that `within` so many seconds, or the node does not run by then.
    """
    end = time.monotonic() + within
    while True:
        try:
            found = status()
        except UnavailableError:
            if time.monotonic() >= end:
                raise
        else:
            coming = _loading(found, project)
            if not coming:
                return found
            if time.monotonic() >= end:
                raise UnavailableError(
                    f"The code of {', '.join(coming)} has not loaded within {within:g} seconds.",
                    why="The node runs; this project has no approved code, or the node still loads it.",
                    remedy="See how far it is: phems status, phems code list; or wait longer: --within",
                )
        time.sleep(LOOK_AGAIN_SECONDS)


def refuse_failed(found: Status, project: str | None) -> None:
    """UnavailableError when code that was waited for does not load."""
    for host in _current(found):
        if host["state"] == _FAILED and project in {None, host["project"]}:
            raise UnavailableError(
                f"The code of {host['project']} does not load.",
                why=(host["error"].strip() or "It says nothing.").splitlines()[-1],
                remedy="Mend it and submit it again, or go back to what was approved: phems code rollback",
            )


def _loading(found: Status, project: str | None) -> list[str]:
    states = {host["project"]: host["state"] for host in _current(found)}
    names = list(states) if project is None else [project]
    return [name for name in names if states.get(name) not in _SETTLED]


def _current(found: Status) -> list[Mapping[str, Any]]:
    return [host for host in found["hosts"] if host["is_current"]]
