"""Finding the checks: every entry point of the group, whoever brought it, and what they are made with."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from phems.output_checks.plugin import GROUP, Check, FileCheck, RequestCheck

# What the findings rest on, where it is installed.
_LIBRARIES = ("phems-node", "numpy", "onnx", "pillow", "pyarrow", "python-stdnum", "safetensors", "scipy")


@dataclass(frozen=True)
class BrokenCheck:
    """An entry point that could not be loaded: everything that it should have looked at has failed."""

    name: str
    why: str


def load_checks() -> tuple[Sequence[Check], Sequence[BrokenCheck]]:
    """All checks by name, and the entry points that gave none."""
    found: dict[str, Check] = {}
    broken: list[BrokenCheck] = []
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            check = entry.load()
        except BaseException as error:  # noqa: BLE001 - a plug-in may raise anything at import
            broken.append(BrokenCheck(entry.name, f"it could not be loaded: {type(error).__name__}"))
            continue
        if not isinstance(check, FileCheck | RequestCheck):
            broken.append(BrokenCheck(entry.name, f"{entry.value} is no check"))
        elif found.setdefault(check.name, check) is not check:
            broken.append(BrokenCheck(entry.name, f"there are two checks called {check.name}"))
    if not found and not broken:
        broken.append(BrokenCheck(GROUP, "no check is installed"))
    return list(found.values()), broken


def tool_versions() -> dict[str, str]:
    """The versions of everything that findings rest on, plug-ins of others included."""
    names = {entry.dist.name for entry in metadata.entry_points(group=GROUP) if entry.dist is not None}
    versions = {"python": platform.python_version()}
    for name in sorted(names | set(_LIBRARIES)):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
