"""Receiving a release package: a tar that is unpacked beside its place, verified, and then put there."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from phems.adapters.files.disk import disk_errors
from phems.adapters.release_package.dsse import open_envelope
from phems.adapters.release_package.folder import LocalPackageFolder
from phems.adapters.signing import key_id
from phems.domain.relative_paths import check_relative_path
from phems.errors import InputError, IntegrityError
from phems.services.release_verification import verify_package

CHUNK = 1024 * 1024
_AGAIN = "Fetch it again; if it stays so, tell the node's operator."


def receive_package(name: str, target: Path, *, fetched: Callable[[], Iterator[bytes]], key: str) -> Path:
    """Put the package that `fetched` streams into `target/<name>`, verified with the node's key."""
    place = target / name
    if place.exists():
        raise InputError(
            f"{place} exists already.",
            why="a download never overwrites.",
            remedy="Choose another folder with --out.",
        )
    stream = fetched()
    with disk_errors("The release package could not be written", target):
        target.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".tmp-{name}-", dir=target))
        try:
            _unpack(stream, name, beside)
            verify_package(LocalPackageFolder(beside), key, key_id=key_id(key), opened=open_envelope)
            beside.chmod(0o755)
            beside.rename(place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return place


def _unpack(stream: Iterator[bytes], name: str, folder: Path) -> None:
    """Plain files below `name/` alone: what a tar can hold else has no place in a package."""
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Chunks(stream), CHUNK), mode="r|") as tar:
            for member in tar:
                head, _, path = member.name.partition("/")
                content = tar.extractfile(member) if member.isreg() else None
                if head != name or content is None:
                    raise _strange(name, f"it holds {member.name!r}")
                place = folder.joinpath(
                    *check_relative_path(path, thing=f"the package {name}", remedy=_AGAIN)
                )
                place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                with place.open("xb") as written:
                    shutil.copyfileobj(content, written, CHUNK)
                place.chmod(0o644)
    except (tarfile.TarError, FileExistsError, InputError) as error:
        raise _strange(name, str(error)) from error


class _Chunks(io.RawIOBase):
    """Chunks as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """The next bytes."""
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = chunk
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


def _strange(name: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"What came is not the release package {name}.",
        why=f"{why}.",
        remedy=_AGAIN,
    )
