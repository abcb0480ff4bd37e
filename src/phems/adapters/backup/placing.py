"""Bringing a backup's files to where a node is to be: it counts once node.yaml is there, the last of all.

data_dir is filled under another name and then renamed. A folder without node.yaml is no node, and what
a restore left that was killed is marked as such: the next restore removes it and begins again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from phems.adapters.backup.copying import poured
from phems.adapters.backup.reading import ReadBackup
from phems.adapters.backup.sealed_keys import KeyFiles
from phems.adapters.durable_files import replace, sync_folder
from phems.adapters.postgres.embedded import end_leftover
from phems.domain.backups import AREAS, DATA, NODE, RELEASES, BackedFile, placed
from phems.errors import InputError, IntegrityError
from phems.nodespec import NodePaths

SPEC = "node.yaml"
MARK = "restoring"
"""A file in a data_dir that a restore has not finished with."""


def staged(paths: NodePaths) -> Path:
    """Where data_dir is made, before it has its name."""
    return paths.data_dir.with_name(f".{paths.data_dir.name}.{MARK}")


def check_free(paths: NodePaths) -> None:
    """InputError unless there is no node yet."""
    if paths.spec.exists():
        raise InputError(
            f"There is a node in {paths.folder}.",
            why="a node is restored into an empty place; nothing is ever written over.",
            remedy=f"Stop it and move it away: mv {paths.folder} {paths.folder}.before",
        )
    if paths.data_dir.exists() and not (paths.data_dir / MARK).exists() and any(paths.data_dir.iterdir()):
        raise InputError(
            f"{paths.data_dir} is not empty.",
            why="the node's data_dir is restored there; nothing is ever written over.",
            remedy=f"Move it away: mv {paths.data_dir} {paths.data_dir}.before",
        )


def clear(paths: NodePaths, keep: Path) -> None:
    """Remove what a restore left that was killed; the caller holds the lock `keep`, which stays."""
    for left in (staged(paths), paths.data_dir):
        if not left.exists():
            continue
        end_leftover(left / "postgres")
        for each in left.iterdir():
            if each == keep:
                continue
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
    if paths.data_dir.exists():
        paths.data_dir.rmdir()


def stage(backup: ReadBackup, paths: NodePaths, keys: KeyFiles) -> Path:
    """Fill what becomes data_dir, all but the database."""
    folder = staged(paths)
    (folder / MARK).touch()
    for path, (mode, content) in keys.items():
        place = folder / "keys" / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.touch(mode=0o600)
        place.write_bytes(content)
        place.chmod(mode)
    _put(backup, DATA, folder)
    return folder


def finish(backup: ReadBackup, paths: NodePaths) -> None:
    """Put everything in its place, in an order in which the last step makes it a node."""
    _put(backup, RELEASES, paths.release_zone)
    _put(backup, NODE, paths.folder, without=SPEC)
    os.sync()
    staged(paths).rename(paths.data_dir)
    sync_folder(paths.data_dir.parent)
    replace(paths.spec, (backup.folder / NODE / SPEC).read_bytes(), mode=_mode(backup))
    (paths.data_dir / MARK).unlink()


def _mode(backup: ReadBackup) -> int:
    return dict(placed(backup.manifest, NODE))[SPEC].mode


def _put(backup: ReadBackup, area: str, target: Path, *, without: str = "") -> None:
    assert area in AREAS  # noqa: S101 (a constant of this module)
    start = f"{area}/"
    target.mkdir(mode=0o700 if area == DATA else 0o755, parents=True, exist_ok=True)
    folders = [each for each in backup.manifest.folders if each.path.startswith(start)]
    for each in folders:
        (target / each.path.removeprefix(start)).mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, file in placed(backup.manifest, area):
        if path != without:
            _put_file(backup.folder / file.path, target / path, file)
    for link in backup.manifest.links:
        if link.path.startswith(start):
            place = target / link.path.removeprefix(start)
            if not place.is_symlink():
                place.symlink_to(link.target)
    for each in reversed(folders):
        (target / each.path.removeprefix(start)).chmod(each.mode)


def _put_file(source: Path, place: Path, file: BackedFile) -> None:
    """Copy one file, unless it is there: a release zone may have outlived its node."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{MARK}"[:255])
    with source.open("rb") as bytes_, beside.open("wb") as sink:
        _, sha256 = poured(bytes_, sink)
    try:
        if sha256 != file.sha256:
            raise _changed(source, "it was changed while it was restored.")
        if place.exists():
            with place.open("rb") as there:
                if hashlib.file_digest(there, "sha256").hexdigest() != file.sha256:
                    raise _changed(place, "a file is there already, and its bytes are others.")
            return
        beside.chmod(file.mode)
        os.utime(beside, ns=(file.mtime_ns, file.mtime_ns))
        beside.rename(place)
    finally:
        beside.unlink(missing_ok=True)


def _changed(place: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{place} is not what was backed up.",
        why=why,
        remedy="No node was made. Move it away, or take another copy of the backup, and restore again.",
    )
