"""A folder that a command fills: nothing in it is ever written over, and what was begun is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from phems.errors import InputError


def check_free(folder: Path, *, what: str, remedy: str) -> None:
    """Only a folder that is not there, or has nothing but `.git`: InputError for any other."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is not a folder.", why=f"A {what} is one.", remedy=remedy)
    found = sorted(item.name for item in folder.iterdir() if item.name != ".git") if folder.exists() else []
    if found:
        raise InputError(
            f"{folder} is not empty.",
            why=f"{found[0]} is there, and nothing is ever written over.",
            remedy=remedy,
        )


def write_files(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write them by their places, in their order; gives the places. All or none are there afterwards."""
    written: list[Path] = []
    try:
        for place, text in files.items():
            file = folder / place
            file.parent.mkdir(parents=True, exist_ok=True)
            written.append(file)
            file.write_text(text, encoding="utf-8")
    except BaseException:
        # A full disk, Ctrl-C: trying again begins anew.
        for begun in written:
            begun.unlink(missing_ok=True)
        raise
    return list(files)
