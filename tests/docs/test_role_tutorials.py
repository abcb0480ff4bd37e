"""The tutorials of the roles, one after the other on one node, which their readers make with one command."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import doc_pages
import pytest
from shell_session import ShellSession
from tests.folders import open_folder
from warm_phems import warm_phems

ROLES = ("analyst", "output-checker", "information-asset-owner", "operator", "auditor")
SECONDS = 280

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def reader() -> Iterator[ShellSession]:
    """A reader with a practice node in a first terminal."""
    with open_folder("phems-roles-") as folder, warm_phems(folder / "bin"):
        with (folder / "first-terminal.printed").open("wb") as printed:
            first_terminal = subprocess.Popen(
                ["bash", Path(__file__).with_name("practice_node.sh")],
                cwd=doc_pages.ROOT,
                env={**os.environ, "HOME": str(folder)},
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + SECONDS
            while not (folder / "saint-alder" / "people.sh").exists():
                seen = (folder / "first-terminal.printed").read_text(encoding="utf-8")
                assert first_terminal.poll() is None, seen
                assert time.monotonic() < deadline, seen
                time.sleep(0.2)
            session = ShellSession(folder, port=0)
            session.memory.touch()
            yield session
        finally:
            if first_terminal.poll() is None:
                os.killpg(first_terminal.pid, signal.SIGINT)  # Ctrl-C
            first_terminal.wait()


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_tutorial_does_what_it_says(reader: ShellSession, role: str) -> None:
    """Otherwise whoever comes to the node in this role is lost where they should learn."""
    reader.follow(doc_pages.ROOT / "docs" / "tutorial" / f"{role}.md")


def test_every_role_has_a_tutorial() -> None:
    """A page that is in no list would not run."""
    pages = {page.stem for page in (doc_pages.ROOT / "docs" / "tutorial").glob("*.md")}
    assert pages == {"first-node", *ROLES}
