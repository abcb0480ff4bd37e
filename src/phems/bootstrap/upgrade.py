"""An upgrade of a node's database: a backup of what is there, then the migrations, all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phems import __version__
from phems.adapters.backup.making import FolderBackup
from phems.adapters.clock import SystemClock
from phems.adapters.node_lock import NodeLock
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.migrate import current, latest
from phems.bootstrap.database import refill_database
from phems.bootstrap.node import Node
from phems.domain.actors import LOCAL_OPERATOR
from phems.errors import NotFoundError
from phems.nodespec import NodePaths, NodeSpec, load_node, node_paths
from phems.services.backups import MadeBackup, copy_in_order


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """What was, or would be, done."""

    migration: str
    """What the database was at."""
    latest: str
    """What this version of the node needs, and what the database is at now, unless it was only looked at."""
    is_done: bool
    backup: Path | None = None
    manifest: str | None = None
    """The SHA-256 of the backup's manifest, as the audit log has it."""


class _OnlyLookedAtError(Exception):
    """Nothing is to be migrated now."""


def upgrade(
    folder: Path,
    *,
    to: Path | None,
    look_only: bool = False,
    admin: str | None = None,
    told: Callable[[str], None] = lambda _line: None,
) -> Upgraded:
    """Bring the database of a stopped node to what this version needs; `to` is where the backup goes, if any.

    1. The node is stopped, and stays so. 2. The database is backed up as it is. 3. Migrations run, in one
    transaction. 4. The audit log says so, with the backup's digest.
    """
    spec = load_node(folder)
    paths = node_paths(spec, folder)
    before = _Before(spec, paths, to, look_only=look_only, told=told)
    with NodeLock(paths.lock):  # 1
        try:
            database = refill_database(spec, paths, admin, before)  # 2, 3
        except _OnlyLookedAtError:
            return before.upgraded(is_done=False)
        with database:
            done = before.upgraded(is_done=before.migration != latest())
            if done.is_done:
                _record(Node(spec, paths, database), done)  # 4
    return done


class _Before:
    """What comes between a database that is reached and its migrations."""

    def __init__(
        self,
        spec: NodeSpec,
        paths: NodePaths,
        to: Path | None,
        *,
        look_only: bool,
        told: Callable[[str], None],
    ) -> None:
        self.migration = ""
        self._spec, self._paths, self._to = spec, paths, to
        self._look_only = look_only
        self._told = told
        self._made: MadeBackup | None = None

    def __call__(self, database: Database) -> None:
        found = current(database.engine("owner"))
        if found is None:
            raise NotFoundError(
                "The node has no database yet.",
                why="it was never started: there is nothing to upgrade.",
                remedy="phems serve",
            )
        self.migration = found
        if self._look_only:
            raise _OnlyLookedAtError
        if self._to is not None and found < latest():
            making = FolderBackup(
                self._to,
                spec=self._spec,
                paths=self._paths,
                database=database,
                passphrase=None,
                buckets=dict,
            )
            self._made = copy_in_order(making, SystemClock(), self._told, lambda _made: None)
        if found < latest():
            self._told(f"Migrating from {found} to {latest()} ...")

    def upgraded(self, *, is_done: bool) -> Upgraded:
        return Upgraded(
            migration=self.migration,
            latest=latest(),
            is_done=is_done,
            backup=None if self._made is None else self._to,
            manifest=None if self._made is None else self._made.manifest,
        )


def _record(node: Node, done: Upgraded) -> None:
    node.audit.open()
    details = {"from": done.migration, "to": done.latest, "software": f"phems-node {__version__}"}
    if done.manifest is not None:
        details["backup"] = done.manifest
    with node.governance.transaction() as tx:
        tx.audit.append(LOCAL_OPERATOR, "node.upgrade", node.spec.node.name, details=details)
