"""The whole example of a federation, as a reader starts it: two real nodes, three rounds, its documents."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.folders import open_folder

ROOT = Path(__file__).parents[3]
PAGES = ("examples/federation/README.md", "docs/how-to/federate-training.md")
_SHOWN = re.compile(r"^ *```text\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def test_two_nodes_train_one_model_and_the_documents_show_what_is_printed() -> None:
    """Otherwise the federation that we show is none, or a reader gets other figures and commands."""
    with open_folder() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "examples.federation", "--folder", folder / "it"],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = {_without_names(line) for line in done.stdout.splitlines()}
    for page in PAGES:
        shown = "".join(_SHOWN.findall((ROOT / page).read_text(encoding="utf-8"))).splitlines()
        assert shown
        for line in filter(str.strip, shown):
            pattern = ".*".join(re.escape(part) for part in _without_names(line).split("..."))
            assert any(re.fullmatch(pattern, each) for each in printed), f"{page} shows, not printed: {line}"


def _without_names(line: str) -> str:
    # What differs from run to run: names of requests, runs, keys and digests, and seconds. Figures stay.
    named = r"rr-[a-z2-7]{8}|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{16}\b|\b[0-9a-f]{12}\b|\bin \d+ s\b"
    return re.sub(named, "N", line.strip())
