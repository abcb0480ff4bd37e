"""Command lines as a person types them, in the tests' own process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from phems.cli.__main__ import main


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it said as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """Its error as JSON."""
        return json.loads(self.err)["error"]


Phems = Callable[..., Said]


def typed(capture: pytest.CaptureFixture[str], *words: str | Path) -> Said:
    """Run one command line; what was said before is left out."""
    capture.readouterr()
    code = main([str(word) for word in words])
    captured = capture.readouterr()
    return Said(code, captured.out, captured.err)
