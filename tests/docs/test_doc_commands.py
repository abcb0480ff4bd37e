"""Every command in the documents runs, in the order in which a reader would type it, on a real node."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import doc_pages
import pytest
from shell_session import ShellSession
from tests.folders import open_folder
from warm_phems import warm_phems

TUTORIALS = doc_pages.ROOT / "docs" / "tutorial"
TUTORIAL = TUTORIALS / "first-node.md"
HOW_TO = sorted((doc_pages.ROOT / "docs" / "how-to").glob("*.md"))
SESSIONS = {*TUTORIALS.glob("*.md"), *HOW_TO}  # those of the roles: test_role_tutorials

pytestmark = pytest.mark.integration


def _free_port() -> int:
    # Below the ports that the system gives out by itself: it must still be free when a node starts again.
    # Another run of these tests begins elsewhere.
    for port in range(21_000 + os.getpid() % 70 * 100, 29_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.fixture(scope="module")
def reader() -> Iterator[ShellSession]:
    """A reader who has followed the tutorial: how-to guides go on from there."""
    # Not pytest's folder: Postgres, run by root, needs a way in, and sockets need a short path.
    with open_folder("phems-docs-") as folder, warm_phems(folder / "bin"):
        session = ShellSession(folder, _free_port())
        session.follow(TUTORIAL)
        yield session


def test_the_tutorial_takes_a_reader_from_an_empty_folder_to_a_released_result(reader: ShellSession) -> None:
    """Otherwise a newcomer is stuck on the first page, and does not come back."""
    packages = list((reader.folder / "phems-tutorial" / "node" / "releases").glob("*/manifest.json"))
    assert len(packages) == 1


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_a_how_to_guide_does_what_it_says(reader: ShellSession, page: Path) -> None:
    """Otherwise somebody in a hurry types what no longer works."""
    reader.follow(page)


def test_the_demo_prints_what_the_readme_shows(reader: ShellSession) -> None:
    """Otherwise the first thing that a stranger sees is not what they will see."""
    program = Path(sys.executable).with_name("phems")
    shown = [block for block in doc_pages.blocks(doc_pages.ROOT / "README.md") if block.verb == "demo"]
    demo = subprocess.run(
        [program, "demo", "--folder", reader.folder / ".demo"], check=False, capture_output=True, text=True
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    printed = {_without_names(line) for line in demo.stdout.splitlines()}
    for line in "\n".join(block.text for block in shown).splitlines():
        pattern = ".*".join(re.escape(part) for part in _without_names(line).split("..."))
        assert any(re.fullmatch(pattern, each) for each in printed), f"not printed: {line}"
    assert shown


def _without_names(line: str) -> str:
    # What differs from run to run: commits, requests, counts and seconds.
    return re.sub(r"rr-[a-z2-7]{8}|\b[0-9a-f]{12}\b|\d+", "N", line)


@pytest.mark.parametrize("page", doc_pages.pages(), ids=lambda page: str(page.relative_to(doc_pages.ROOT)))
def test_no_command_is_left_out(page: Path) -> None:
    """A block of commands that nobody runs goes stale in silence: it is run here, or by what it names."""
    for block in doc_pages.blocks(page):
        if block.language != "sh" or (page in SESSIONS and block.verb != "in"):
            continue
        assert block.verb == "in", f"{page.name}:{block.line}: nothing runs this block"
        there = (doc_pages.ROOT / block.what).read_text(encoding="utf-8").splitlines()
        missing = {line for line in block.text.splitlines() if line and line not in there}
        assert not missing, f"{page.name}:{block.line}: {block.what} does not run {missing}"
