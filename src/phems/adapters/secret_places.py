"""Reading a secret from where node.yaml says it is kept: an environment variable, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from phems.errors import InputError, UnavailableError
from phems.nodespec.variables import value_of, variable_in

_OTHERS = 0o007


def secret_at(place: str | None, folder: Path, environ: Mapping[str, str], *, key: str) -> str | None:
    """The secret at env:NAME or file:PATH; an error says what is missing, and nothing of the secret.

    `key` is where node.yaml names the place.
    """
    if place is None:
        return None
    if variable_in(place) is not None:
        return value_of(place, environ, key=key)
    path = folder / place.removeprefix("file:")
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(
            f"The secret in {path} cannot be read.",
            why=f"{key} in node.yaml names it; {getattr(error, 'strerror', None) or 'it is not text'}.",
            remedy="Put it there, readable for the user that runs the node alone (chmod 600).",
        ) from error
    if not found:
        raise InputError(f"The file {path} is empty.", why=f"it is to hold the secret of {key} in node.yaml.")
    return found


def check_private(path: Path) -> None:
    """Refuse a file with a secret that every user of this machine may read or write."""
    if path.is_file() and path.stat().st_mode & _OTHERS:
        raise InputError(
            f"{path} is open to every user of this machine.",
            why="it holds a secret of the node.",
            remedy=f"chmod 600 {path}",
        )


def private_secret_at(place: str | None, folder: Path, environ: Mapping[str, str], *, key: str) -> str | None:
    """As `secret_at`; a file must not be open to other users of this machine."""
    if place is not None and place.startswith("file:"):
        check_private(folder / place.removeprefix("file:"))
    return secret_at(place, folder, environ, key=key)
