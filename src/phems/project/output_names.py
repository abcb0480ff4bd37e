"""What an output may be called, and where that lies.

A name is a relative path such as `km/curve.csv`. The rules keep it inside the outputs folder of its
run, visible, and harmless in a shell, a URL and a release package.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

from phems.errors import InputError

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_MOST_PARTS = 8
_LONGEST_PART = 100
_LONGEST_NAME = 240
_REMEDY = 'choose a name such as "km/curve.csv"'


def check_output_name(name: str) -> None:
    """Raise `InputError`, naming `name`, unless it may be an output's name."""
    trouble = _trouble_with(name)
    if trouble:
        raise InputError(f"{name!r} cannot be the name of an output", why=trouble, remedy=_REMEDY)


def _trouble_with(name: str) -> str:
    parts = name.split("/")
    checks = (
        (not name, "it is empty"),
        (name.startswith("/"), "it is an absolute path; a name is relative to the run's outputs"),
        (".." in parts, "it climbs out of the run's outputs with `..`"),
        (any(part.startswith(".") for part in parts), "a part of it is hidden: it begins with a dot"),
        (name.endswith("/"), "it ends in a slash: a name is a file's"),
        (
            not all(_PART.fullmatch(part) for part in parts),
            "its parts may hold A to Z, digits, `.`, `_` and `-` only, and begin with a letter, digit or `_`",
        ),
        (len(parts) > _MOST_PARTS, f"it lies more than {_MOST_PARTS - 1} folders deep"),
        (max(map(len, parts)) > _LONGEST_PART, f"a part of it is longer than {_LONGEST_PART} characters"),
        (len(name) > _LONGEST_NAME, f"it is longer than {_LONGEST_NAME} characters"),
    )
    return next((why for found, why in checks if found), "")


def check_no_symlink(root: Path, path: Path) -> None:
    """Raise `InputError` if anything from below `root` down to `path` is a symbolic link.

    Project code owns these folders, so this catches mistakes, not attacks: the control plane opens outputs
    without following links when it hashes them.
    """
    for part in [*reversed(path.relative_to(root).parents), path.relative_to(root)]:
        place = root / part
        try:
            mode = place.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        if place != root and stat.S_ISLNK(mode):
            raise InputError(
                f"The output {path} cannot be written: {place} is a symbolic link",
                why="an output must lie in the run's outputs folder itself, or its bytes could change later",
                remedy=f"remove the link (`rm {place}`) and write the file through `phems.project.outputs`",
            )
