"""What a check of `phems doctor` finds, and what checks look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from phems.adapters.node_check import is_running
from phems.adapters.postgres.database import CREDENTIALS_FILE, Database
from phems.bootstrap.database import open_database
from phems.errors import UnavailableError
from phems.nodespec import Document, NodePaths, NodeSpec


class State(StrEnum):
    """How what was looked at is; a check is skipped when what it would look at is not there to be seen."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen, and what to do about it. `about` names which one, where a check looks at several."""

    state: State
    what: str
    remedy: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row of what the doctor says."""

    check: str
    state: State
    seen: str
    remedy: str


def ok(what: str, *, about: str = "") -> Seen:
    """It is as it should be."""
    return Seen(State.OK, what, about=about)


def warning(what: str, remedy: str, *, about: str = "") -> Seen:
    """The node runs with it, and it should be mended."""
    return Seen(State.WARNING, what, remedy, about)


def failed(what: str, remedy: str, *, about: str = "") -> Seen:
    """The node does not run with it, or not as it promises to."""
    return Seen(State.FAILED, what, remedy, about)


def skipped(what: str, *, about: str = "") -> Seen:
    """It could not be looked at, and that is no fault by itself."""
    return Seen(State.SKIPPED, what, about=about)


@dataclass
class Patient:
    """A node as the doctor finds it: nothing is started, and nothing that is there is changed."""

    spec: NodeSpec
    paths: NodePaths
    document: Document
    stack: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def is_running(self) -> bool:
        """Whether a node holds this data folder now."""
        return is_running(self.paths)

    @cached_property
    def database(self) -> Database | None:
        """The node's database; None for one of the node's own while the node does not run."""
        keys = self.paths.keys / CREDENTIALS_FILE
        if self.spec.database.address(os.environ) is None:
            if not self.paths.postgres.is_dir():
                return None  # it is made at the first start
            try:
                found = open_database(self.spec, self.paths, start=False)
            except UnavailableError:
                if self.is_running:
                    raise
                return None
        elif not keys.exists():
            raise UnavailableError(
                "The node's roles have no passwords.",
                why=f"{keys} does not exist: the database was never set up from here.",
                remedy="phems db init; or restore the keys folder from a backup",
            )
        else:
            found = open_database(self.spec, self.paths, start=False)
        return self.stack.enter_context(found)


Look = Callable[[Patient], Iterable[Seen]]
"""One check: looks, and says what it has seen. Errors of the tree become what has failed."""
