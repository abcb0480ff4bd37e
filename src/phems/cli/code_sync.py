"""`phems code sync`: the Code Mount and the environments, brought in step with what is approved."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, session
from phems.errors import InputError, PhemsError

if TYPE_CHECKING:
    from phems.bootstrap import Node
    from phems.services.code_sync import SyncedProject

_COLUMNS = ["project", "commit", "code", "environment", "pointer", "removed", "error"]


def sync(
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="One project; without it, all of them.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: again after every change of a code revision.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Bring the Code Mount in step with what is approved: fetch, verify, build environments, clean up.

    Acts on the node's folder. Only revisions whose approvals verify now are fetched.
    """
    from phems.bootstrap import open_node
    from phems.bootstrap.code_sync import code_changes

    if session.node_url() is not None:
        raise InputError(
            "The Code Mount of a node elsewhere cannot be brought in step from here.",
            why="it is a folder on the node's own machine.",
            remedy="phems code sync --node DIR, there",
        )
    if not watch:
        with open_node(session.node_folder()) as node:
            _once(node, project, dry_run=dry_run)
        return
    with _until_terminated(), open_node(session.node_folder()) as node, code_changes(node) as changes:
        for _ in changes:
            _again(node, project, dry_run=dry_run)


def _again(node: Node, project: str | None, *, dry_run: bool) -> None:
    """One turn of many: what goes wrong in it is told, and the next turn may mend it."""
    try:
        node.follow_policies()
        _show(_rows(node, project, dry_run=dry_run))
    except PhemsError as error:
        output.warn(f"{error.what} {error.why}")
    sys.stdout.flush()


class _TerminatedError(BaseException):
    """SIGTERM came. No `except Exception` on the way takes it for a failure."""


@contextmanager
def _until_terminated() -> Iterator[None]:
    """End the block on SIGTERM, wherever it is, and well: what it has begun is taken back as it is left."""

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: leaving is not broken off
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        with suppress(_TerminatedError):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _once(node: Node, project: str | None, *, dry_run: bool) -> None:
    from phems.services.code_sync import raise_for

    rows = _rows(node, project, dry_run=dry_run)
    _show(rows)
    raise_for(rows)


def _rows(node: Node, project: str | None, *, dry_run: bool) -> Sequence[SyncedProject]:
    from phems.bootstrap.code_sync import code_sync_of

    names = sorted(node.spec.project_names(project))
    syncing = code_sync_of(node)
    rows = syncing.sync(names, dry_run=dry_run)
    if not dry_run and project is None and not any(row.error for row in rows):
        syncing.collect_environments(names)
    return rows


def _show(rows: Sequence[SyncedProject]) -> None:
    output.show_rows(rows, _COLUMNS, empty="No projects in node.yaml yet.")
