"""Reading a secret from where node.yaml says it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from phems.errors import InputError, UnavailableError


def secret_at(place: str | None, folder: Path, environ: Mapping[str, str]) -> str | None:
    """The secret at env:NAME or file:PATH; an error says what is missing, and nothing of the secret."""
    if place is None:
        return None
    kind, _, where = place.partition(":")
    if kind == "env":
        if not environ.get(where):
            raise InputError(
                f"The environment variable {where} is not set.",
                why=f"identity.oidc.client_secret in node.yaml reads the client's secret from it ({place}).",
                remedy=f"export {where}=..., then: phems serve",
            )
        return environ[where]
    path = folder / where
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(
            f"The client's secret in {path} cannot be read.",
            why=getattr(error, "strerror", None) or "it is not text.",
            remedy="Put it there, readable for the user that runs the node alone (chmod 600).",
        ) from error
    if not found:
        raise InputError(f"The file {path} is empty.", why="it is to hold the client's secret.")
    return found
