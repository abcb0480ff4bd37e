"""`BackupMaking` on the disk: a hidden folder beside the one to be, renamed when all is in it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from phems import __version__
from phems.adapters.backup.copying import Copied, copy_file, copy_tree
from phems.adapters.backup.sealed_keys import seal
from phems.adapters.durable_files import replace, sync_folder
from phems.adapters.files.disk import disk_errors
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.dumps import SCHEMAS, Dumped, dump, keeping
from phems.adapters.postgres.mlflow_dumps import dump_mlflow
from phems.domain.backups import (
    DATA,
    DATABASE,
    KEYS,
    LEFT_OUT,
    MANIFEST,
    NODE,
    RELEASES,
    SEALED_KEYS,
    BucketObject,
    Manifest,
)
from phems.errors import InputError
from phems.nodespec import NodePaths, NodeSpec
from phems.nodespec.kept_elsewhere import kept_elsewhere

Listing = Callable[[], Mapping[str, Sequence[BucketObject]]]


class FolderBackup:
    """One backup into the folder `target`, which must not be there. `buckets` lists what is not copied."""

    def __init__(
        self,
        target: Path,
        *,
        spec: NodeSpec,
        paths: NodePaths,
        database: Database,
        passphrase: str | None,
        buckets: Listing,
    ) -> None:
        self._target = target.absolute()
        self._unfinished = self._target.with_name(f".{self._target.name}.unfinished")
        self._spec = spec
        self._paths = paths
        self._database = database
        self._passphrase = passphrase
        self._buckets = buckets
        self._copied = Copied()
        self._dumped: Dumped

    @contextmanager
    def held(self) -> Iterator[None]:
        """See the port."""
        self._check_target()
        with keeping(self._database), disk_errors("The backup could not be written", self._target.parent):
            # What a backup left that was killed: the lock says that nobody works on it.
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished.mkdir(mode=0o700)
            try:
                yield
            finally:
                shutil.rmtree(self._unfinished, ignore_errors=True)

    def copy_checkpoints(self) -> None:
        """See the port."""
        copy_tree(self._paths.audit, self._unfinished, f"{DATA}/audit", self._copied)

    def dump_database(self) -> None:
        """See the port."""
        folder = self._unfinished / ".database"
        folder.mkdir(mode=0o700)
        self._dumped = dump(self._database, folder)
        names = [name for name, _, _ in SCHEMAS]
        for project in self._spec.projects_with_mlflow():
            names += filter(None, [dump_mlflow(self._database, project, self._paths.mlflow_key, folder)])
        for name in names:
            copy_file(folder / name, self._unfinished, f"{DATABASE}/{name}", self._copied)
        shutil.rmtree(folder)

    def copy_files(self, told: Callable[[int], None]) -> None:
        """See the port. node.yaml and what lies beside it, the keys, data_dir, the release zone."""
        paths = self._paths
        self._copy_keys()
        copy_tree(paths.data_dir, self._unfinished, DATA, self._copied, without=LEFT_OUT, told=told)
        copy_tree(paths.release_zone, self._unfinished, RELEASES, self._copied, told=told)
        without = kept_elsewhere(self._spec, paths, self._target, self._unfinished)
        copy_tree(paths.folder, self._unfinished, NODE, self._copied, without=without, told=told)

    def write_manifest(self, made_at: str) -> tuple[Manifest, str]:
        """See the port."""
        copied, dumped = self._copied, self._dumped
        manifest = Manifest(
            node=self._spec.node.name,
            made_at=made_at,
            software=f"phems-node {__version__}",
            migration=dumped.migration,
            postgres=dumped.major,
            audit_size=dumped.head.size,
            audit_root=dumped.head.tree.root().hex(),
            keys="plain" if self._passphrase is None else "sealed",
            files=sorted(copied.files, key=lambda each: each.path),
            links=copied.links,
            folders=copied.folders,
            left_out=copied.left_out,
            buckets=self._buckets(),
        )
        written = manifest.as_text().encode()
        # All that it names is on the disk before it is.
        os.sync()
        replace(self._unfinished / MANIFEST, written, mode=0o644)
        return manifest, hashlib.sha256(written).hexdigest()

    def publish(self) -> None:
        """See the port."""
        self._check_target()
        self._unfinished.rename(self._target)
        sync_folder(self._target.parent)

    def _copy_keys(self) -> None:
        if self._passphrase is None:
            copy_tree(self._paths.keys, self._unfinished, KEYS, self._copied)
            return
        place = self._unfinished / ".keys"
        place.write_bytes(seal(self._paths.keys, self._passphrase))
        place.chmod(0o600)
        copy_file(place, self._unfinished, SEALED_KEYS, self._copied)
        place.unlink()

    def _check_target(self) -> None:
        if self._target.exists() or self._target.is_symlink():
            raise InputError(
                f"{self._target} is there already.",
                why="a backup is a new folder; nothing is ever written over.",
                remedy=f'phems backup "{self._target.parent}/$(date +%F)"',
            )
        if not self._target.parent.is_dir():
            raise InputError(
                f"There is no folder {self._target.parent}.",
                why="the backup is made in it.",
                remedy=f"mkdir --parents {self._target.parent}; or see that the disk is mounted",
            )
        for own in (self._paths.data_dir, self._paths.release_zone):
            if self._target.is_relative_to(own):
                raise InputError(
                    f"{self._target} is a folder of the node.",
                    why="each backup would hold all those before it.",
                    remedy="Name a folder on another disk.",
                )
