"""The API's pure parts: pages of lists, archives, names of files, and being late to be imported."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.errors import InputError
from phems.gateway.api.answers import disposition
from phems.gateway.api.archives import archive_of
from phems.gateway.api.cursors import encoded, page


@given(
    numbers=st.sets(st.integers(0, 1000), max_size=40),
    added=st.sets(st.integers(1001, 2000), max_size=5),
    limit=st.integers(1, 10),
)
def test_pages_give_each_row_once_whatever_is_added_meanwhile(
    numbers: set[int], added: set[int], limit: int
) -> None:
    """Otherwise a script that reads a list to its end misses a request, or acts on one twice."""
    rows, seen, cursor = set(numbers), [], None
    while True:
        found = page(rows, lambda number: (number,), cursor, limit)
        seen += found.items
        cursor = found.next_cursor
        rows |= added  # newer ones come in front, while somebody reads on
        if cursor is None:
            break
    assert seen == sorted(numbers, reverse=True)


@pytest.mark.parametrize("cursor", ["", "%", "bm9wZQ", encoded(["a"]), encoded([1, 2]), "é", "[" * 400])
def test_a_cursor_that_was_never_given_is_refused(cursor: str) -> None:
    """Its reader would go through a list from somewhere, and take that for all of it."""
    with pytest.raises(InputError, match="cursor"):
        page([1, 2], lambda number: (number,), cursor, 1)


def test_an_archive_is_the_same_bytes_each_time_and_as_long_as_said(tmp_path: Path) -> None:
    """A coordinator compares what two computers fetched; a wrong length would cut the end off unseen."""
    (tmp_path / "files" / ("deep" * 30)).mkdir(parents=True)
    (tmp_path / "manifest.json").write_bytes(b"{}")
    (tmp_path / "files" / ("deep" * 30) / "größe.csv").write_bytes(b"a\n1\n" * 500)
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    at = datetime(2026, 11, 25, tzinfo=UTC)
    made = [b"".join(archive_of(tmp_path, name="rr-a", at=at).chunks()) for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) == archive_of(tmp_path, name="rr-a", at=at).size
    with tarfile.open(fileobj=io.BytesIO(made[0])) as tar:
        assert tar.getnames() == ["rr-a/empty", f"rr-a/files/{'deep' * 30}/größe.csv", "rr-a/manifest.json"]
        assert {(member.uid, member.uname, member.mtime) for member in tar} == {(0, "", at.timestamp())}


def test_a_file_that_grew_shorter_breaks_the_stream(tmp_path: Path) -> None:
    """Padding what is missing would hand over something that nobody reviewed."""
    (tmp_path / "a").write_bytes(b"x" * 100)
    archive = archive_of(tmp_path, name="p", at=None)
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(OSError, match="shorter"):
        list(archive.chunks())


@pytest.mark.parametrize("name", ['a"; filename="b.html', "a\r\nSet-Cookie: x", "größe.csv", "../x", "a;b"])
def test_a_files_name_cannot_become_a_header_of_its_own(name: str) -> None:
    """Names come from project code: one could otherwise choose how a browser treats the file."""
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert header.count(";") == 2


def test_a_node_at_rest_does_not_hold_the_api() -> None:
    """Memory at rest is counted in what every hospital's small machine has to spare."""
    program = "import sys, phems.gateway.app; sys.exit('fastapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
