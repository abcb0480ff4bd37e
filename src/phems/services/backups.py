"""Backing a node up: the order of copying is what makes a backup of a running node one that fits together.

1. The checkpoints of the audit log are copied: the log in the database is at least as long as they say.
2. The database is dumped, as it is at one moment.
3. Files are copied. What the database names never changes and is removed by a purge alone, which waits: so
   all that the dump names is among them, and files that came later do no harm.
4. The manifest is written, with the SHA-256 of every file.
5. The audit log says that a backup was made, and of what manifest.
6. The backup gets its name. Until then there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from phems.domain.actors import Actor
from phems.domain.audit import timestamp
from phems.services.ports import Governance
from phems.services.ports.backups import BackupMaking
from phems.services.ports.clock import Clock

_EVERY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeBackup:
    """What a backup holds."""

    manifest: str
    """The SHA-256 of its manifest, as the audit log has it."""
    files: int
    bytes: int
    audit_entries: int
    migration: str
    keys: str
    """`sealed` with a passphrase, or `plain`."""
    in_buckets: int
    """Objects that stay in their buckets, and are named alone."""
    left_out: int


class Backups:
    """Backups of one node."""

    def __init__(self, node: str, governance: Governance, clock: Clock) -> None:
        self._node = node
        self._governance = governance
        self._clock = clock

    def make(self, actor: Actor, making: BackupMaking, told: Callable[[str], None]) -> MadeBackup:
        """Make one, and record it."""

        def record(made: MadeBackup) -> None:
            details = {
                "manifest": made.manifest,
                "files": made.files,
                "bytes": made.bytes,
                "audit_entries": made.audit_entries,
                "keys": made.keys,
            }
            with self._governance.transaction() as tx:
                tx.audit.append(actor, "node.backup", self._node, details=details)

        return copy_in_order(making, self._clock, told, record)


def copy_in_order(
    making: BackupMaking, clock: Clock, told: Callable[[str], None], record: Callable[[MadeBackup], None]
) -> MadeBackup:
    """Make a backup; the steps are in the module's docstring.

    `record` is the fifth. An upgrade records its backup afterwards: an older schema takes no entries yet.
    """

    with making.held():
        told("Copying the audit log's checkpoints ...")
        making.copy_checkpoints()  # 1
        told("Dumping the database ...")
        making.dump_database()  # 2
        told("Copying files ...")
        making.copy_files(by_thousands(told))  # 3
        told("Writing the manifest ...")
        manifest, digest = making.write_manifest(timestamp(clock.now()))  # 4
        made = MadeBackup(
            manifest=digest,
            files=len(manifest.files),
            bytes=manifest.size,
            audit_entries=manifest.audit_size,
            migration=manifest.migration,
            keys=manifest.keys,
            in_buckets=sum(map(len, manifest.buckets.values())),
            left_out=len(manifest.left_out),
        )
        record(made)  # 5
        making.publish()  # 6
    return made


def by_thousands(told: Callable[[str], None]) -> Callable[[int], None]:
    """Tells how many files there are by now, at each thousand."""

    def count(files: int) -> None:
        if files % _EVERY == 0:
            told(f"  {files} files")

    return count
