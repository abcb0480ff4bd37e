"""The folder of the sockets lies where everybody may write: what is found there is not trusted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from phems.adapters.runtime_dir import ensure_runtime_dir
from phems.errors import UnavailableError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_closed_and_stays_so(tmp_path: Path) -> None:
    folder = ensure_runtime_dir(tmp_path / "run")
    assert mode(folder) == 0o700
    folder.chmod(0o777)
    assert mode(ensure_runtime_dir(folder)) == 0o700


def test_a_link_that_someone_put_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError, match="someone else"):
        ensure_runtime_dir(tmp_path / "run")


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(UnavailableError, match="someone else"):
        ensure_runtime_dir(tmp_path / "run")


def test_one_group_may_be_let_through_and_sees_nothing(tmp_path: Path) -> None:
    folder = ensure_runtime_dir(tmp_path / "run", enter_group=os.getgid())
    assert mode(folder) == 0o710
    assert mode(ensure_runtime_dir(folder)) == 0o710
