"""Secret keys of the node: random bytes, each in a file of its own that the node's user alone can read."""

from __future__ import annotations

import secrets
from pathlib import Path

from phems.adapters.durable_files import create

KEY_BYTES = 32


def load_or_create_secret(path: Path) -> bytes:
    """A key; made when it is first asked for, by one of those who ask at once."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create(path, secrets.token_bytes(KEY_BYTES))
    return path.read_bytes()
