"""A machine that does not give what is needed: a port in use, a full disk, an unwritable folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typed_commands import Phems, command, environment, everything_below, free_port, processes_of, write_spec

MIB = 1 << 20


def test_a_port_in_use(phems: Phems, folder: Path) -> None:
    """Otherwise half a node would run behind a page that is somebody else's."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        write_spec(folder, gateway={"port": port})
        said = phems(folder, "serve")
        said.is_clear(said.code, str(port))
        assert said.code in {2, 5}
        assert processes_of(folder) == []
        phems(folder, "check").is_clear(2, "gateway.port", str(port))
    serves_and_stops(folder, free_port())


def serves_and_stops(folder: Path, port: int) -> None:
    """The node starts with what is there, and stops when it is told."""
    with subprocess.Popen(
        command(folder, "serve", "--port", str(port)), env=environment(), stdout=subprocess.PIPE, text=True
    ) as node:
        assert node.stdout is not None
        lines = []
        for line in node.stdout:
            lines.append(line)
            if "Serving on" in line:
                break
        node.send_signal(signal.SIGTERM)
        assert node.wait(30) == 0, lines
    assert any("Serving on" in line for line in lines), lines
    assert processes_of(folder) == []


def test_a_second_node_on_the_same_folder(phems: Phems, folder: Path) -> None:
    """Otherwise two nodes would write one database."""
    write_spec(folder)
    with subprocess.Popen(
        command(folder, "serve"), env=environment(), stdout=subprocess.PIPE, text=True
    ) as node:
        assert node.stdout is not None
        for line in node.stdout:
            if "Serving on" in line:
                break
        said = phems(folder, "serve", "--port", str(free_port()))
        said.is_clear(said.code, str(folder))
        assert said.code in {4, 5}
        assert node.poll() is None
        node.send_signal(signal.SIGTERM)
        assert node.wait(30) == 0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 12 MiB of its own; made by root alone."""
    if os.getuid() != 0:
        pytest.skip(
            "only root can mount a small disk; the same errors are shown with a file-size limit below"
        )
    place = Path("/tmp") / f"phems-disk-{os.getpid()}"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        place.rmdir()
        pytest.skip(f"a disk cannot be mounted here: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
    place.rmdir()


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte; gives the file to remove."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    return ballast


def test_a_disk_that_is_too_small_for_a_node(phems: Phems, small_disk: Path) -> None:
    """Otherwise Postgres's own last words would be all there is, and half a database would stay."""
    write_spec(small_disk / "node")
    said = phems(small_disk / "node", "serve")
    said.is_clear(5, "No space left on device", "df -h")
    assert processes_of(small_disk) == []
    subprocess.run(["mount", "-o", "remount,size=300m", str(small_disk)], check=True)
    serves_and_stops(small_disk / "node", free_port())


def test_a_disk_that_is_full_to_the_brim(phems: Phems, small_disk: Path) -> None:
    """Otherwise a half-written node.yaml would be what the next command reads."""
    ballast = fill(small_disk)
    said = phems(small_disk / "node", "init", str(small_disk / "node"))
    said.is_clear(5, "full")
    assert "df -h" in said.err
    ballast.unlink()
    left = [name for name in everything_below(small_disk) if (small_disk / name).is_file()]
    assert left == [], "nothing half-done"


def test_exporting_to_a_full_disk(phems: Phems, folder: Path, small_disk: Path) -> None:
    """Otherwise half an audit log would look like one that somebody has cut off."""
    write_spec(folder)
    target = small_disk / "audit.jsonl"
    assert phems(folder, "audit", "export", "--out", str(folder / "audit.jsonl")).code == 0
    ballast = fill(small_disk)
    phems(folder, "audit", "export", "--out", str(target)).is_clear(5, "No space left on device", "df -h")
    assert not target.exists()
    ballast.unlink()
    assert phems(folder, "audit", "export", "--out", str(target)).code == 0
    assert phems(folder, "audit", "verify", str(target)).code == 0


def test_an_unwritable_folder(phems: Phems, folder: Path) -> None:
    """Otherwise the error would name a file deep inside, and not the folder that is the cause."""
    node = folder / "node"
    write_spec(node)
    node.chmod(0o555)
    said = phems(node, "serve", without_root=True)
    said.is_clear(5, str(node))
    assert processes_of(folder) == []
    assert everything_below(node) == ["node.yaml"]
    check = phems(node, "check", without_root=True)
    check.is_clear(2, "data_dir")
    node.chmod(0o755)


def test_init_into_an_unwritable_folder(phems: Phems, folder: Path) -> None:
    """Otherwise a first try would end in a traceback."""
    folder.chmod(0o555)
    phems(folder, "init", str(folder / "node"), without_root=True).is_clear(5, str(folder))
    folder.chmod(0o755)
    assert everything_below(folder) == []


def test_a_data_folder_of_somebody_else(phems: Phems, folder: Path) -> None:
    """Otherwise a node restored by root and started by another would fail at its keys, late."""
    if os.getuid() != 0:
        pytest.skip("only root can give a folder to somebody else")
    node = folder / "node"
    write_spec(node)
    (node / "data").mkdir(mode=0o700)
    os.chown(node / "data", 12345, 12345)
    said = phems(node, "serve", without_root=True)
    said.is_clear(said.code, "data")
    assert said.code in {2, 5}
    assert processes_of(folder) == []
