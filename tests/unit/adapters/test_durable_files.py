"""Files that are wholly there or not at all."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from phems.adapters.durable_files import create, replace, replace_with_lines
from phems.errors import UnavailableError


def test_what_is_replaced_has_the_new_content_and_a_closed_mode(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"old")
    replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_who_create_a_file_the_first_wins(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert create(path, b"first")
    assert not create(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_lines_that_break_off_leave_the_old_file_alone(tmp_path: Path) -> None:
    def lines() -> Iterator[bytes]:
        yield b"one\n"
        raise ZeroDivisionError

    path = tmp_path / "log"
    assert replace_with_lines(path, [b"a\n", b"b\n"]) == 2
    with pytest.raises(ZeroDivisionError):
        replace_with_lines(path, lines())
    assert path.read_bytes() == b"a\nb\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="No such file"):
        replace(tmp_path / "missing" / "key", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnavailableError, match="directory"):
        replace(tmp_path / "folder", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
