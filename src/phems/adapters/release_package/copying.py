"""Copying a placed package to a folder, wherever it is kept: whole, every byte held against its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from phems.adapters.files.disk import disk_errors, remove_tree, write_file
from phems.adapters.release_package.dsse import unverified_subjects
from phems.domain.outputs import check_output_path
from phems.domain.release_packages import ATTESTATION
from phems.errors import InputError, IntegrityError, NotFoundError
from phems.services.watched_chunks import watched


def copy_package(request_id: str, read: Callable[[str], Iterator[bytes]], target: Path) -> Path:
    """Copy the package whose files `read` gives to the new folder `target/<request id>`.

    Raises `IntegrityError`, naming the file, for one that is not what was signed.
    """
    place = target / request_id
    if place.exists():
        raise InputError(
            f"{place} exists already.",
            why="a download never overwrites.",
            remedy="Choose another folder with --out.",
        )
    attestation = b"".join(read(ATTESTATION))
    staging = target / f".tmp-{request_id}"
    with disk_errors("The release package could not be copied", target):
        remove_tree(staging)
        try:
            for path, sha256 in unverified_subjects(attestation).items():
                inner = staging.joinpath(*check_output_path(path))
                write_file(inner, checked(read(path), path, sha256), 0o644)
            write_file(staging / ATTESTATION, [attestation], 0o644)
            staging.rename(place)
        finally:
            remove_tree(staging)
    return place


def not_placed(request_id: str, address: str) -> NotFoundError:
    """The error for a package that is not there, or not yet."""
    return NotFoundError(
        f"The release package {request_id} is not in the release zone.",
        why=f"{address} does not exist.",
        remedy="Start the node, which completes packages: phems serve",
    )


def checked(chunks: Iterable[bytes], path: str, sha256: str) -> Iterator[bytes]:
    """Pass the bytes on; raise `IntegrityError` at their end when they are not the reviewed ones."""
    hasher = hashlib.sha256()
    yield from watched(chunks, hasher.update)
    if hasher.hexdigest() != sha256:
        error = IntegrityError(
            f"The file {path!r} is not the one that was reviewed.",
            why=f"its SHA-256 is {hasher.hexdigest()}; reviewed was {sha256}.",
            remedy="Find out who changed it. Revoke the request, and ask for the release again.",
        )
        error.logged = f"A file with the SHA-256 {hasher.hexdigest()} lies where {sha256} was reviewed."
        raise error
