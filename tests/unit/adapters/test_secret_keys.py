"""Secret keys of the node, in files of their own."""

from __future__ import annotations

import stat
from pathlib import Path

from phems.adapters.secret_keys import load_or_create_secret


def test_the_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    """Otherwise a restart makes every message a stranger's, or another account reads the key."""
    path = tmp_path / "keys" / "capability.key"
    key = load_or_create_secret(path)
    assert load_or_create_secret(path) == key
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_or_create_secret(tmp_path / "other") != key
