"""What data sources hold: hashed once for each change of a file, however often it is asked for."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from phems.adapters import data_versions
from phems.adapters.data_versions import HashedDataVersions
from phems.errors import UnavailableError


class Counted(HashedDataVersions):
    """Counts how often a file is read."""

    def __init__(self, memory: Path) -> None:
        super().__init__(memory)
        self.read = 0

    def _hash(self, file: Path) -> str:
        self.read += 1
        return super()._hash(file)


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a test are always new; what that means has a test of its own."""
    monkeypatch.setattr(data_versions, "SETTLED_NS", -(10**18))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "patients.csv"
    place.write_bytes(b"patient\n1\n")
    return place


@pytest.fixture
def versions(tmp_path: Path) -> Counted:
    return Counted(tmp_path / "data-versions.json")


def test_a_file_is_read_once_for_any_number_of_runs(versions: Counted, file: Path) -> None:
    """Otherwise every run on a large file waits for it to be read."""
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    assert {versions.of(file) for _ in range(100)} == {expected}
    assert versions.read == 1


def test_runs_that_want_it_at_once_wait_for_one_reading(versions: Counted, file: Path) -> None:
    """Otherwise a hundred runs after a change read the file a hundred times, side by side."""
    start = threading.Barrier(8)

    def ask() -> str | None:
        start.wait()
        return versions.of(file)

    with ThreadPoolExecutor(8) as pool:
        found = {each.result() for each in [pool.submit(ask) for _ in range(8)]}
    assert len(found) == 1
    assert versions.read == 1


def test_a_new_start_of_the_node_reads_nothing(versions: Counted, file: Path, tmp_path: Path) -> None:
    """Otherwise the first run after each start waits."""
    found = versions.of(file)
    memory = tmp_path / "data-versions.json"
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    again = Counted(memory)
    assert (again.of(file), again.read) == (found, 0)


@pytest.mark.parametrize("kept", ["", "[]", '{"x": 1}', json.dumps({"x": ["a", 1, 1, 1, 1, "d"]}), "null"])
def test_a_memory_that_cannot_be_read_costs_a_reading_and_no_more(
    kept: str, file: Path, tmp_path: Path
) -> None:
    """Otherwise a damaged cache keeps the node from starting."""
    (tmp_path / "kept").write_text(kept)
    assert Counted(tmp_path / "kept").of(file)


def test_a_change_is_seen_though_size_and_time_of_change_are_set_back(versions: Counted, file: Path) -> None:
    """Otherwise other data passes under the version of what was approved."""
    before, times = versions.of(file), file.stat()
    file.write_bytes(b"patient\n2\n")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file.stat().st_size == times.st_size
    assert versions.of(file) != before


def test_a_replacement_is_seen(versions: Counted, file: Path, tmp_path: Path) -> None:
    """Otherwise a file that is swapped by a rename keeps its old version."""
    before = versions.of(file)
    (tmp_path / "new").write_bytes(b"patient\n3\n")
    (tmp_path / "new").rename(file)
    assert versions.of(file) != before


def test_what_is_no_file_has_no_version(versions: Counted, tmp_path: Path) -> None:
    """Otherwise a source that is not there ends the admission of runs that do not want it."""
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "nothing", tmp_path, tmp_path / "pipe"):
        assert versions.of(place) is None


def test_a_file_that_changed_just_now_is_not_remembered(
    versions: Counted, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a second change within one tick of the clock is never seen."""
    monkeypatch.setattr(data_versions, "SETTLED_NS", 10**18)
    versions.of(file)
    versions.of(file)
    assert versions.read == 2


def test_a_file_that_is_written_while_it_is_read_has_no_version(
    versions: Counted, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a capsule names bytes that were never all there at one time."""
    digest = hashlib.file_digest

    def written_meanwhile(*arguments: object) -> object:
        with file.open("ab") as more:
            more.write(b"4\n")
        return digest(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(data_versions.hashlib, "file_digest", written_meanwhile)
    with pytest.raises(UnavailableError, match="has no version"):
        versions.of(file)


def test_what_was_read_is_known_of_this_very_file(
    versions: Counted, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a step reads a large file again, or starts on another than its run was admitted with."""
    identity = versions.identity(file)
    assert identity is not None
    assert versions.known(file, identity) is None
    monkeypatch.setattr(data_versions, "SETTLED_NS", 10**18)
    found = versions.of(file)
    assert versions.known(file, identity) == found, "of a file that changed just now, too"
    file.write_bytes(b"patient\n5\n6\n")
    changed = versions.identity(file)
    assert changed is not None
    assert changed != identity
    assert versions.known(file, changed) is None
    assert versions.read == 1
    assert versions.identity(file / "below") is None
    file.parent.joinpath("loop").symlink_to("loop")
    with pytest.raises(UnavailableError, match="cannot be read"):
        versions.identity(file.parent / "loop")


def test_what_another_process_has_read_is_not_read_again(
    versions: Counted, file: Path, tmp_path: Path
) -> None:
    """Otherwise each worker reads all data when it is started."""
    other, more = Counted(tmp_path / "data-versions.json"), tmp_path / "more.csv"
    more.write_bytes(b"patient\n7\n")
    found = versions.of(file), other.of(more)
    assert (other.of(file), other.read) == (found[0], 1)
    assert (versions.of(more), versions.read) == (found[1], 1)


def test_a_full_disk_costs_a_reading_and_no_more(file: Path, tmp_path: Path) -> None:
    """Otherwise no run starts while the disk is full."""
    assert HashedDataVersions(tmp_path / "no-folder" / "kept").of(file)
