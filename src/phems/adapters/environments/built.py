"""Environments as folders: `<root>/<environment digest>/<build>/`, whole or not at all, hashed before use.

    bin/python, pyvenv.cfg     a virtual environment of the node's own Python
    lib/.../phems.pth          the two folders that Python imports from, in this order
    packages/                  what the code revision locks
    environment.json           what was built, with the hash of all files; written last

The node's own packages come first, so that nothing of a project stands in their place. `.pth` files of a
project's packages are never read: Python reads those of site-packages alone; `packages` is only named there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from phems.adapters.environments.wall_packages import fill, wall_key, wall_versions
from phems.adapters.environments.wheels import WheelSources, unpack
from phems.adapters.files.disk import disk_errors, remove_tree
from phems.domain.canonical import digest
from phems.domain.digests import FILE, TreeEntry, environment_digest, is_lock_file
from phems.domain.locked_requirements import (
    LOCK_REMEDY,
    LockedRequirement,
    locked_requirements,
    without_the_walls,
)
from phems.errors import InputError, IntegrityError, UnavailableError

MANIFEST = "environment.json"
PACKAGES = "packages"


class BuiltEnvironments:
    """Builds environments from the lock file of a code revision, and finds those that were built."""

    def __init__(self, root: Path, sources: Callable[[], WheelSources]) -> None:
        self._root = root
        self._sources = sources

    def build(self, code_dir: Path, requirements: str) -> bool:
        """Build the environment of a code revision; False when it is there already.

        `code_dir` has been verified. `InputError` for a lock file that cannot be used, `UnavailableError`
        when packages or the disk cannot be reached. Processes that ask at once build it once.
        """
        locked = _locked(code_dir, requirements)
        place = self._place(code_dir, requirements)
        with disk_errors("The environment could not be built", self._root), self._alone(place.parent.name):
            if place.exists():
                self._wall()
                _verify(place)
                return False
            place.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(mkdtemp(prefix=".tmp-", dir=place.parent))
            try:
                unpack(locked, staging / PACKAGES, self._sources())
                _make_python(staging, Path(os.path.relpath(self._wall(), place)))
                _write_manifest(staging, place.parent.name, locked)
                staging.chmod(0o755)
                staging.rename(place)
            finally:
                remove_tree(staging)
        return True

    def python(self, code_dir: Path, requirements: str) -> Path:
        """The interpreter of the environment, verified; `UnavailableError` when it has not been built."""
        place = self._place(code_dir, requirements)
        if not place.is_dir():
            raise UnavailableError(
                f"The environment {place.parent.name[:12]} of the code revision is not built.",
                why=f"{place} does not exist.",
                remedy="Build it: phems code sync",
            )
        _verify(place)
        return place / "bin" / "python"

    def is_built(self, code_dir: Path, requirements: str) -> bool:
        """Whether it is there."""
        return self._place(code_dir, requirements).is_dir()

    def sizes(self) -> Mapping[str, tuple[int, int]]:
        """See the port."""
        return {place.name: _size(place) for place in self._places()}

    def remove(self, digest: str) -> None:
        """See the port."""
        if any(place.name == digest for place in self._places()):
            with disk_errors("The environment could not be removed", self._root), self._alone(digest):
                remove_tree(self._root / digest)

    def keep_only(self, digests: frozenset[str]) -> list[str]:
        """Remove the environments whose digest is not among these; gives what was removed."""
        removed = [place.name for place in self._places() if place.name not in digests]
        for name in removed:
            self.remove(name)
        for place in sorted((self._root / "wall").glob("*")):
            if place.name != wall_key():  # of an earlier version of the node
                remove_tree(place)
        return removed

    def _places(self) -> list[Path]:
        """The folders of environments, each named by its digest."""
        found = sorted(self._root.iterdir()) if self._root.is_dir() else []
        return [place for place in found if place.is_dir() and place.name not in {"wall", "locks"}]

    def _place(self, code_dir: Path, requirements: str) -> Path:
        build = digest({"requirements": requirements, "wall": wall_key()})[:16]
        return self._root / _digest_of(code_dir) / build

    def _wall(self) -> Path:
        """The folder of the node's own packages, filled when it is first needed."""
        place = self._root / "wall" / wall_key()
        if place.is_dir():
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(mkdtemp(prefix=".tmp-", dir=place.parent))
        try:
            fill(staging)
            staging.chmod(0o755)
            staging.rename(place)
        except OSError:
            if not place.is_dir():  # another process was first, with the same
                raise
        finally:
            remove_tree(staging)
        return place

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Only one process builds an environment; the others wait for it."""
        locks = self._root / "locks"
        locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (locks / name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _digest_of(code_dir: Path) -> str:
    """The environment digest of a code revision, from its files: lock files lie at the top."""
    found = environment_digest(
        TreeEntry(file.name, FILE, hashlib.sha256(file.read_bytes()).hexdigest())
        for file in sorted(code_dir.iterdir())
        if file.is_file() and is_lock_file(file.name)
    )
    if found is None:
        raise InputError(
            "The code revision has no lock file.",
            why="node.yaml says that the project's environment is built from one.",
            remedy="Commit one, or take environment.requirements out of node.yaml.",
        )
    return found


def _size(place: Path) -> tuple[int, int]:
    """How many files lie below, and their bytes; links are not followed."""
    sizes = [Path(folder, name).lstat().st_size for folder, _, names in os.walk(place) for name in names]
    return len(sizes), sum(sizes)


def _locked(code_dir: Path, requirements: str) -> tuple[LockedRequirement, ...]:
    file = code_dir / requirements
    if not file.is_file():
        raise InputError(
            f"The code revision has no {requirements}.",
            why="node.yaml names it as environment.requirements.",
            remedy=f"{LOCK_REMEDY}{requirements}; then commit and submit.",
        )
    found = locked_requirements(file.read_bytes(), file=requirements)
    return without_the_walls(found, wall_versions(), file=requirements)


def _make_python(folder: Path, wall: Path) -> None:
    """A virtual environment by hand: its interpreter is the node's, and runs in the sandbox alone."""
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(base)
    version = ".".join(str(part) for part in sys.version_info[:3])
    lines = [f"home = {base.parent}", "include-system-site-packages = false", f"version = {version}"]
    (folder / "pyvenv.cfg").write_text("\n".join([*lines, f"phems-wall = {wall}", ""]))
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    site.mkdir(parents=True)
    up = Path("..", "..", "..")
    (site / "phems.pth").write_text(f"{up / wall}\n{up / PACKAGES}\n")


def _write_manifest(folder: Path, name: str, locked: tuple[LockedRequirement, ...]) -> None:
    document = {
        "environment_digest": name,
        "packages": {requirement.name: requirement.version for requirement in locked},
        "node_packages": dict(wall_versions()),
        "tree": _tree(folder),
    }
    (folder / MANIFEST).write_text(json.dumps(document, indent=2, sort_keys=True))


def _verify(place: Path) -> None:
    """Raise `IntegrityError` unless the files are those that were built."""
    try:
        expected = json.loads((place / MANIFEST).read_text())["tree"]
    except (OSError, ValueError, KeyError) as error:
        expected = f"unknown: {error}"
    found = _tree(place)
    if found != expected:
        raise IntegrityError(
            f"The environment in {place} is not what was built.",
            why=f"the hash of its files is {found}; it was {expected}.",
            remedy=f"Find out who changed it. Then remove {place.parent}, and: phems code sync",
        )


def _tree(place: Path) -> str:
    """The hash of all files but the manifest. Links are named by where they point, and not followed."""
    rows = []
    for folder, folders, files in os.walk(place):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if path == place / MANIFEST:
                continue
            if path.is_symlink():
                rows.append([str(path.relative_to(place)), "link", str(path.readlink())])
                continue
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            rows.append([str(path.relative_to(place)), "file", sha256])
    return digest(sorted(rows))
