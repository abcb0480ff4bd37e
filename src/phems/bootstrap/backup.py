"""A backup of a node, wired: of one that runs, or of one whose database is started for the while."""

from __future__ import annotations

from pathlib import Path

from phems.adapters.backup.making import FolderBackup
from phems.bootstrap.node import Node
from phems.services.backups import Backups


def backups_of(node: Node) -> Backups:
    """The use case."""
    return Backups(node.spec.node.name, node.governance, node.clock)


def backup_to(node: Node, target: Path, passphrase: str | None) -> FolderBackup:
    """A backup of the node into a new folder."""
    return FolderBackup(
        target,
        spec=node.written,
        paths=node.paths,
        database=node.database,
        passphrase=passphrase,
        buckets=node.files.buckets,
    )
