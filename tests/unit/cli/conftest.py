"""Runs the command line in this process, as a person would type it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.typed_lines import Phems, typed


@pytest.fixture
def phems(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phems:
    """`phems("check", "--json")` in an empty folder of its own; the exit code and what was said."""
    monkeypatch.chdir(tmp_path)
    for name in ("PHEMS_NODE", "PHEMS_TOKEN", "PHEMS_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    return partial(typed, capsys)
