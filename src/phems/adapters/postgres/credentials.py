"""The passwords of the database roles: random, in one file of the keys folder, mode 0600."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from phems.adapters.durable_files import create
from phems.errors import UnavailableError


# Not shown by repr: a traceback or a log line must not hold them.
@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """One password a role."""

    admin: str
    owner: str
    dagster: str
    governance: str


def load_or_create(path: Path) -> Credentials:
    """The passwords in `path`, made when there is no such file."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = Credentials(*(secrets.token_urlsafe(32) for _ in range(4)))
        create(path, json.dumps(asdict(made)).encode())
    return load(path)


def load(path: Path) -> Credentials:
    """The passwords in `path`; UnavailableError when it cannot be read."""
    try:
        return Credentials(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UnavailableError(
            f"The passwords of the node's database cannot be read from {path}.",
            why=str(error),
            remedy="Restore the keys folder from a backup, or run as the user that runs the node.",
        ) from error
