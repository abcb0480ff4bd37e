"""A restore of a node: verified first, then made beside, held against the anchors, and put in its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phems.adapters.backup import placing
from phems.adapters.backup.reading import ReadBackup, keys_of, read_backup
from phems.adapters.checkpoint_file import CheckpointFile
from phems.adapters.files.disk import disk_errors
from phems.adapters.node_lock import NodeLock
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.dumps import is_used, load
from phems.adapters.postgres.mlflow_dumps import load_mlflow
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.adapters.signing import signature_matches
from phems.bootstrap.database import refill_database
from phems.bootstrap.node import Node
from phems.domain.actors import LOCAL_OPERATOR
from phems.domain.backups import DATABASE, NODE
from phems.errors import InputError
from phems.nodespec import NodePaths, NodeSpec, load_node, node_paths
from phems.services.backups import by_thousands
from phems.services.checkpoints import CheckpointKeeper
from phems.services.restores import Compared, continue_restored


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored."""

    node: str
    folder: Path
    made_at: str
    files: int
    audit_entries: int
    """The restore's own among them."""
    anchors: tuple[str, ...]
    """The outside anchors that agree."""
    behind: tuple[str, ...]
    """Those that the log was restored behind, or that could not be asked: the log has the reason."""
    missing_objects: int
    """Objects of buckets that were there when the backup was made, and are not, or are others."""


def restore(
    backup: Path,
    folder: Path,
    *,
    passphrase: str | None = None,
    reason: str | None = None,
    admin: str | None = None,
    told: Callable[[str], None] = lambda _line: None,
) -> Restored:
    """Restore a backup into `folder`.

    1. Every byte of the backup is verified; nothing was touched so far. 2. There is no node yet. 3. Files and
    database are made in a folder beside data_dir, and migrated. 4. The log is held against the outside
    anchors, and goes on with the entry of the restore. 5. All gets its name, node.yaml last.
    """

    told("Verifying the backup ...")
    read = read_backup(backup, by_thousands(told))  # 1
    spec = load_node(backup / NODE)
    paths = node_paths(spec, folder)
    placing.check_free(paths)  # 2
    keys = keys_of(read, passphrase)
    beside_spec = spec.model_copy(update={"data_dir": str(placing.staged(paths))})
    beside = node_paths(beside_spec, folder)
    with disk_errors("The node could not be restored", paths.folder), NodeLock(beside.lock):
        try:
            placing.clear(paths, beside.lock)
            told("Placing files ...")
            placing.stage(read, paths, keys)  # 3
            told("Loading the database ...")
            with refill_database(
                spec, beside, admin, lambda database: _fill(database, spec, beside, read)
            ) as database:
                told("Comparing the audit log with its outside anchors ...")
                node = Node(beside_spec, beside, database)
                compared = _go_on(node, read, reason)  # 4
                missing = _missing(node, read)
        except BaseException:
            shutil.rmtree(placing.staged(paths), ignore_errors=True)
            raise
        told("Putting everything in its place ...")
        placing.finish(read, paths)  # 5
    return _told(spec, paths, read, compared, missing)


def _fill(database: Database, spec: NodeSpec, paths: NodePaths, read: ReadBackup) -> None:
    if is_used(database):
        raise InputError(
            f"The database {database.base.database} is that of a node.",
            why="a node is restored into an empty database; nothing is ever written over.",
            remedy="Drop it, or give it another name: ALTER DATABASE phems RENAME TO phems_before",
        )
    for project in spec.projects_with_mlflow():
        load_mlflow(database, project, paths.mlflow_key, read.folder / DATABASE)
    # What says that it is a node's database comes last.
    load(database, read.folder / DATABASE)


def _go_on(node: Node, read: ReadBackup, reason: str | None) -> Compared:
    keeper = CheckpointKeeper(
        origin=node.spec.audit_origin,
        store=CheckpointFile(node.paths.checkpoint),
        signer=node.audit_key,
        verify=signature_matches,
    )
    governance = PostgresGovernance(node.database.engine("governance"), clock=node.clock, checkpoints=keeper)
    with governance.transaction() as tx:
        keeper.open(tx.audit.head(), tx.audit)  # a log from before there was a tree
    return continue_restored(
        governance,
        node.anchors,
        keeper.signed_by_node,
        actor=LOCAL_OPERATOR,
        manifest=read.manifest,
        digest=read.digest,
        reason=reason,
    )


def _missing(node: Node, read: ReadBackup) -> int:
    wanted = {(name, each.key, each.etag) for name, kept in read.manifest.buckets.items() for each in kept}
    if not wanted:
        return 0
    found = {(name, each.key, each.etag) for name, kept in node.files.buckets().items() for each in kept}
    return len(wanted - found)


def _told(spec: NodeSpec, paths: NodePaths, read: ReadBackup, compared: Compared, missing: int) -> Restored:
    return Restored(
        node=spec.node.name,
        folder=paths.folder,
        made_at=read.manifest.made_at,
        files=len(read.manifest.files),
        audit_entries=read.manifest.audit_size + 1,
        anchors=tuple(sorted(compared.agree)),
        behind=tuple(sorted({*compared.behind, *compared.unasked})),
        missing_objects=missing,
    )
