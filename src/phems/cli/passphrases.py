"""A passphrase in a file: it stands neither on the command line nor in the environment."""

from __future__ import annotations

from pathlib import Path

from phems.errors import InputError


def passphrase_in(file: Path) -> str:
    """The first line of the file."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(
            f"The passphrase cannot be read from {file}.", why=f"{error}.", remedy=f"ls -l {file}"
        ) from error
    if not lines or not lines[0]:
        raise InputError(f"There is no passphrase in {file}.", why="its first line is empty.")
    return lines[0]
