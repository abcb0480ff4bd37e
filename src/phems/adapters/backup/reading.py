"""A backup as it lies there: read, and verified file by file before anything is done with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phems.adapters.backup.copying import hashed
from phems.adapters.backup.sealed_keys import KeyFiles, unseal
from phems.adapters.files.disk import disk_errors
from phems.adapters.postgres.migrate import latest
from phems.domain.backups import (
    KEYS,
    MANIFEST,
    SEALED_KEYS,
    Manifest,
    check_files,
    check_schema,
    parse_manifest,
    placed,
)
from phems.errors import InputError


@dataclass(frozen=True, slots=True)
class ReadBackup:
    """A backup whose every byte is what was backed up."""

    folder: Path
    manifest: Manifest
    digest: str
    """The SHA-256 of its manifest."""


def read_backup(folder: Path, told: Callable[[int], None]) -> ReadBackup:
    """Read and verify one; `told` hears how many files are verified so far."""
    place = folder / MANIFEST
    try:
        written = place.read_bytes()
        text = written.decode()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} is no backup.",
            why=f"{MANIFEST} cannot be read there: {error}. Without it, a backup was not finished.",
            remedy="Name the folder that phems backup wrote.",
        ) from error
    manifest = parse_manifest(text)
    check_schema(manifest, latest())
    with disk_errors("The backup could not be read", folder):
        found = {path: value for path, value in hashed(folder, told).items() if path != MANIFEST}
        check_files(manifest, found)
        for link in manifest.links:
            place = folder / link.path
            if not place.is_symlink() or os.readlink(place) != link.target:  # noqa: PTH115 (as it stands there)
                check_files(manifest, found | {link.path: (0, "")})
    return ReadBackup(folder, manifest, hashlib.sha256(written).hexdigest())


def keys_of(backup: ReadBackup, passphrase: str | None) -> KeyFiles:
    """The files of the keys folder."""
    if backup.manifest.keys == "plain":
        return {
            path: (file.mode, (backup.folder / file.path).read_bytes())
            for path, file in placed(backup.manifest, KEYS)
        }
    if passphrase is None:
        raise InputError(
            "The keys in the backup are encrypted.",
            why="it was made with a passphrase.",
            remedy="phems restore BACKUP --passphrase-file FILE",
        )
    return unseal((backup.folder / SEALED_KEYS).read_bytes(), passphrase)
