"""What a lock file pins, and how two of them differ: the part of a code revision that nobody reads whole.

Read are uv.lock, pylock.toml (PEP 751), poetry.lock and pip's requirements. A pin is its version, where it
comes from, and the hashes that its files must have: a package of the same version from elsewhere, or with
other hashes, is another package. Lock files come from project code: one that cannot be read says so.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

LARGEST = 8 * 1024 * 1024

Kind = Literal["added", "removed", "upgraded", "downgraded", "changed", "repinned"]


@dataclass(frozen=True, order=True)
class Pin:
    """One version of a package as a lock file fixes it."""

    version: str
    source: str = ""
    """Where from; empty for the index that the tool uses by default."""
    hashes: frozenset[str] = frozenset()

    def said(self, *, placed: bool) -> str:
        """The version, for people; with `placed` and the place that it comes from."""
        return " from ".join(part for part in (self.version, self.source if placed else "") if part)


Pins = Mapping[str, frozenset[Pin]]


@dataclass(frozen=True)
class DependencyChange:
    """A dependency that differs. `repinned`: the same version, from elsewhere or with other hashes."""

    name: str
    kind: Kind
    before: str = ""
    after: str = ""
    file: str = ""


def read_pins(path: str, content: bytes) -> Pins | None:
    """The packages that a lock file pins, by normalised name; None for a form that is not read, or broken."""
    name = path.rpartition("/")[2]
    reader = next((reader for pattern, reader in _READERS if re.fullmatch(pattern, name)), None)
    if reader is None or len(content) > LARGEST:
        return None
    pins: dict[str, set[Pin]] = {}
    try:
        for package, pin in reader(content.decode()):
            pins.setdefault(normalised(package), set()).add(pin)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    return {package: frozenset(found) for package, found in pins.items()}


def changes(earlier: Pins, later: Pins, *, file: str = "") -> list[DependencyChange]:
    """The dependencies that differ, by name."""
    found = []
    for name in sorted({*earlier, *later}):
        old, new = earlier.get(name, frozenset()), later.get(name, frozenset())
        if old != new:
            kind = _kind(old, new)
            # Where it comes from is told when that changes, too: told always, it would be passed over.
            placed = {pin.source for pin in old} != {pin.source for pin in new}
            before, after = (
                ", ".join(sorted({pin.said(placed=placed) for pin in pins})) for pins in (old, new)
            )
            found.append(DependencyChange(name, kind, before, after, file))
    return found


def normalised(name: str) -> str:
    """A package's name in one form (PEP 503); an option of pip, such as --index-url, as it is."""
    return name if name.startswith("-") else re.sub(r"[-_.]+", "-", name).lower()


def _kind(old: frozenset[Pin], new: frozenset[Pin]) -> Kind:
    if not old or not new:
        return "added" if new else "removed"
    before, after = ({pin.version for pin in pins} for pins in (old, new))
    if before == after:
        return "repinned"
    highest = [max(map(_release, versions)) for versions in (before, after)]
    if highest[0] == highest[1]:
        return "changed"
    return "upgraded" if highest[0] < highest[1] else "downgraded"


def _release(version: str) -> tuple[int, ...]:
    """The release segment of a version (PEP 440), epoch first; enough to tell up from down."""
    epoch, mark, rest = version.rpartition("!")
    release = re.match(r"v?([0-9]+(?:\.[0-9]+)*)", rest)
    numbers = [int(part[:18]) for part in release[1].split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return (int(epoch[:18]) if mark and epoch.isascii() and epoch.isdigit() else 0, *numbers)


def _uv(text: str) -> Iterator[tuple[str, Pin]]:
    for package in tomllib.loads(text).get("package", []):
        source = package.get("source", {})
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        hashes = frozenset(str(file["hash"]) for file in files if "hash" in file)
        where = ", ".join(f"{kind} {place}" for kind, place in sorted(source.items()))
        yield package["name"], Pin(str(package.get("version", "")), where, hashes)


def _poetry(text: str) -> Iterator[tuple[str, Pin]]:
    for package in tomllib.loads(text).get("package", []):
        source = package.get("source", {})
        where = " ".join(
            str(source[key]) for key in ("type", "url", "resolved_reference", "reference") if source.get(key)
        )
        hashes = frozenset(str(file["hash"]) for file in package.get("files", []) if "hash" in file)
        yield package["name"], Pin(str(package.get("version", "")), where, hashes)


def _pylock(text: str) -> Iterator[tuple[str, Pin]]:
    for package in tomllib.loads(text).get("packages", []):
        where = [str(package["index"])] if package.get("index") else []
        for key in ("vcs", "archive", "directory"):
            if key in package:
                place = package[key]
                where.append(f"{key} {place.get('url') or place.get('path')} {place.get('commit-id', '')}")
        files = [
            *package.get("wheels", []),
            *(package[key] for key in ("sdist", "archive") if key in package),
        ]
        hashes = frozenset(
            f"{name}:{value}" for file in files for name, value in file.get("hashes", {}).items()
        )
        yield package["name"], Pin(str(package.get("version", "")), " ".join(where).strip(), hashes)


def _requirements(text: str) -> Iterator[tuple[str, Pin]]:
    for line in text.replace("\\\n", " ").splitlines():
        requirement = re.sub(r"(^|\s)#.*", "", line).strip()
        hashes = frozenset(re.findall(r"--hash[= ](\S+)", requirement))
        requirement = re.sub(r"--hash[= ]\S+", "", requirement).strip()
        if requirement.startswith("-"):
            # An index or another file: where packages come from is as telling as which ones.
            option, _, value = requirement.replace("=", " ", 1).partition(" ")
            yield option, Pin(value.strip())
        elif requirement:
            named = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\s*\[[^\]]*\])?\s*(.*)", requirement)
            if named is None:
                yield "--unnamed", Pin(requirement)
                continue
            pinned, _, _marker = named[2].partition(";")
            direct = pinned.startswith("@")
            version = "" if direct else pinned.strip().removeprefix("==").strip()
            yield named[1], Pin(version, pinned[1:].strip() if direct else "", hashes)


_READERS: tuple[tuple[str, Callable[[str], Iterator[tuple[str, Any]]]], ...] = (
    (r"uv\.lock", _uv),
    (r"poetry\.lock", _poetry),
    (r"pylock(\.[^/.]+)?\.toml", _pylock),
    (r"requirements.*\.(txt|lock)", _requirements),
)
