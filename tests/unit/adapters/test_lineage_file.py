"""The file of lineage events: whole lines, for the node's user alone, and of bounded size."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phems.adapters.files.code_mount import FolderCodeMount
from phems.adapters.files.code_words import MountedCodeWords
from phems.adapters.lineage_file import NAME, LineageFile
from phems.errors import UnavailableError


class Watch:
    """Each time is a second later."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 29, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


def file_in(folder: Path, size: int = 1000, keep: int = 2) -> LineageFile:
    return LineageFile(folder / "lineage", size=size, keep=keep, now=Watch())


def test_a_line_that_a_crash_cut_is_written_anew(tmp_path: Path) -> None:
    """Half a line would make the file unreadable for programs; its event is handed over again."""
    file = file_in(tmp_path)
    file.send([b'{"first":1}'])
    with file.path.open("ab") as cut:
        cut.write(b'{"seco')
    file.send([b'{"second":2}', b'{"third":3}'])
    assert file.path.read_bytes() == b'{"first":1}\n{"second":2}\n{"third":3}\n'
    file.path.write_bytes(b'{"cut')
    file.send([b"{}"])
    assert file.path.read_bytes() == b"{}\n"
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_full_files_are_put_aside_and_the_oldest_go(tmp_path: Path) -> None:
    """A disk that lineage fills stops the node."""
    file = file_in(tmp_path, size=10)
    for number in range(5):
        file.send([b'{"number":%d}' % number])
    aside = sorted(path.read_bytes() for path in file.path.parent.glob("events-*"))
    assert aside == [b'{"number":2}\n', b'{"number":3}\n']
    assert file.path.read_bytes() == b'{"number":4}\n'


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """What cannot be written is told, and nothing else is written instead."""
    file = file_in(tmp_path)
    file.path.parent.mkdir()
    (tmp_path / "other").write_text("kept")
    file.path.symlink_to(tmp_path / "other")
    with pytest.raises(UnavailableError, match="could not be written"):
        file.send([b"{}"])
    assert (tmp_path / "other").read_text() == "kept"
    assert file.path.name == NAME


def test_words_are_those_of_the_approved_files(tmp_path: Path) -> None:
    """A name that nobody has read must not be told."""
    digest = "c" * 64
    folder = tmp_path / "heart" / digest / "src"
    folder.mkdir(parents=True)
    folder.joinpath("defs.py").write_text("table['age at entry'], died_at")
    folder.joinpath("logo.png").write_bytes(b"\x89PNG\xff weight")
    words = MountedCodeWords(FolderCodeMount(tmp_path))
    assert words.found("heart", digest, ["age at entry", "died", "died_at", "weight"]) == {
        "age at entry",
        "died_at",
    }
    assert words.found("heart", "d" * 64, ["died_at"]) == frozenset()
