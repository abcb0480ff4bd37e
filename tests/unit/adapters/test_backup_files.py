"""What is copied into a backup, and how keys are sealed in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from phems.adapters.backup.copying import Copied, copy_tree, hashed
from phems.adapters.backup.sealed_keys import seal, unseal
from phems.errors import InputError

WORDS = "several words of a sentence"


def test_links_are_kept_and_never_followed(tmp_path: Path) -> None:
    """Project code would otherwise put any file of the machine into the backup, or hang it on a FIFO."""
    area, outside = tmp_path / "area", tmp_path / "outside"
    (area / "inner").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (area / "inner" / "plain").write_text("plain")
    (area / "inner" / "plain").chmod(0o640)
    (area / "to-file").symlink_to(outside / "secret")
    (area / "to-folder").symlink_to(outside)
    os.mkfifo(area / "fifo")
    (area / "skipped").mkdir()
    (area / "skipped" / "file").touch()
    copied = Copied()
    copy_tree(area, tmp_path / "backup", "data", copied, without={"skipped"})
    assert [(file.path, file.mode) for file in copied.files] == [("data/inner/plain", 0o640)]
    assert {link.path for link in copied.links} == {"data/to-file", "data/to-folder"}
    assert [folder.path for folder in copied.folders] == ["data/inner"]
    assert copied.left_out == ["data/fifo"]
    assert hashed(tmp_path / "backup") == {"data/inner/plain": (5, copied.files[0].sha256)}


def test_sealed_keys_open_with_their_passphrase_alone(tmp_path: Path) -> None:
    """Whoever finds the backup would otherwise sign as the node."""
    (tmp_path / "approvers").mkdir()
    (tmp_path / "audit.pem").write_bytes(b"PRIVATE")
    (tmp_path / "approvers" / "wei.pem").write_bytes(b"OTHER")
    (tmp_path / "audit.pem").chmod(0o600)
    sealed = seal(tmp_path, WORDS)
    assert b"PRIVATE" not in sealed
    found = unseal(sealed, WORDS)
    assert found["audit.pem"] == (0o600, b"PRIVATE")
    assert set(found) == {"audit.pem", "approvers/wei.pem"}
    for other in (sealed, sealed[:-1], b""):
        with pytest.raises(InputError, match="cannot be opened"):
            unseal(other, WORDS + "!")
    with pytest.raises(InputError, match="fewer than 12"):
        seal(tmp_path, "short")
