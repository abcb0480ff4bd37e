"""What the documents claim to meet is held by tests that are there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import doc_pages
import pytest

ROOT = doc_pages.ROOT
FILES = sorted((ROOT / "docs" / "controls").glob("*.toml"))
KEYS = {"id", "asks", "met", "how", "left", "tests"}


def _controls() -> Iterator[Any]:
    for file in FILES:
        for part in tomllib.loads(file.read_text(encoding="utf-8"))["part"]:
            for control in part["control"]:
                yield pytest.param(control, id=f"{file.stem}: {control.get('id')}")


@pytest.mark.parametrize("control", list(_controls()))
def test_a_claim_names_tests_that_are_there(control: dict[str, Any]) -> None:
    """Otherwise somebody would rely on a control that nothing checks, or on one that was taken out."""
    assert set(control) == KEYS
    assert control["met"] in {"yes", "partly", "operator"}
    claimed = control["met"] != "operator"
    assert bool(control["tests"]) == bool(control["how"]) == claimed
    assert control["met"] == "yes" or control["left"], "what is left to the operator?"
    for test in control["tests"]:
        path, _, name = test.partition("::")
        assert (ROOT / path).exists(), test
        assert name in doc_pages.tests_of(ROOT / path), test


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_control_is_there_once(file: Path) -> None:
    """Two entries of one control could say two things."""
    parts = tomllib.loads(file.read_text(encoding="utf-8"))["part"]
    names = [control["id"] for part in parts for control in part["control"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("section", ["Prevented", "Detected, not prevented"])
def test_whatever_security_promises_names_the_test_that_holds_it(section: str) -> None:
    """A promise without a test is a hope. (That the test is there is looked at with all links.)"""
    rows = list(doc_pages.rows(ROOT / "docs" / "explanation" / "security.md", section))
    assert len(rows) > 5
    assert [row for row in rows if not re.match(r"\| (\[[^]]+\]\(\S+\.py#test_\w+\)(, )?)+ \|", row)] == []
