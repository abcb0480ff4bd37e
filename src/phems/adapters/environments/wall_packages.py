"""What the node brings into every environment: the project side of the wall, and what that needs.

Which packages they are is read from the metadata of `phems-node` without its extras. They are put in one
folder for all projects, from the files that the node itself was installed with: no network, no other version.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement

import phems
from phems.domain.canonical import digest
from phems.domain.lock_files import normalised

NODE_PACKAGE = "phems-node"
# Of our own package, what project code may see: import-linter holds that these need nothing else of it.
_PROJECT_SIDE = ("__init__.py", "py.typed", "errors.py", "contract", "host", "project")


@cache
def wall_versions() -> Mapping[str, str]:
    """The packages and their versions, by normalised name."""
    return {name: found.version for name, found in sorted(_closure().items())}


@cache
def wall_key() -> str:
    """Names what the folder holds, and for which Python: what differs lies in another folder."""
    ours = [[str(file), hashlib.sha256((_ours() / file).read_bytes()).hexdigest()] for file in _our_files()]
    python = [sys.implementation.cache_tag, platform.python_version(), platform.machine(), sys.base_prefix]
    return digest({"python": python, "packages": dict(wall_versions()), "ours": ours})[:16]


def fill(folder: Path) -> None:
    """Put every package in the folder, which is empty."""
    for name, found in _closure().items():
        if name == NODE_PACKAGE:
            continue
        for file in found.files or ():
            if ".." in file.parts or file.suffix == ".pth" or "__pycache__" in file.parts:
                continue
            source = Path(str(found.locate_file(file)))
            _take(source, folder / file)
            if file.suffix == ".py":
                compiled = Path(cache_from_source(str(source)))
                _take(compiled, Path(cache_from_source(str(folder / file))))
    for ours in _our_files():
        place = folder / "phems" / ours
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(_ours() / ours, place)  # not a link: in a checkout, an editor writes into these


def _closure() -> Mapping[str, Distribution]:
    """`phems-node` and all that it needs on this machine, extras left out, by normalised name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(NODE_PACKAGE, frozenset())]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # a marker of a package says more than is installed here
            continue
        for text in found[name].requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in extras or {""}
            ):
                waiting.append((normalised(needed.name), frozenset(needed.extras)))
    return found


def _ours() -> Path:
    return Path(phems.__file__).parent


def _our_files() -> Iterator[Path]:
    for part in _PROJECT_SIDE:
        place = _ours() / part
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        yield from (file.relative_to(_ours()) for file in files)


def _take(source: Path, target: Path) -> None:
    """The same file under another name, with its time: compiled files are held against it."""
    if not source.is_file():
        return  # listed, but not kept by who installed it
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return  # two packages that share a file, such as the mark of a namespace
    except OSError:
        shutil.copy2(source, target)
