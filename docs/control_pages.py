# ruff: noqa: INP001 (part of a script, not of a package)
"""Pages on what others ask of such a node: each control, how it is met, and the tests that hold the claim."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CONTROLS = Path(__file__).parent / "controls"
MET: Mapping[str, str] = {"yes": "met", "partly": "met in part", "operator": "yours"}

WORDS = """\
*Met*: the software does it, given what is left to you. *Met in part*: it does what is said here, and the
rest is yours. *Yours*: it does nothing of it. Each claim names tests that fail when it no longer holds; they
run with every change.
"""


def control_page(name: str) -> str:
    """The page of `controls/NAME.toml`."""
    read = tomllib.loads((CONTROLS / f"{name}.toml").read_text(encoding="utf-8"))
    source = f"docs/controls/{name}.toml"
    return "\n".join(
        [
            f"# {read['title']}\n",
            f"<!-- Written by docs/generate.py from {source}: edit there, then `make docs`. -->\n",
            read["about"],
            "",
            WORDS,
            "| asked | |",
            "|---|---|",
            *(f"| {each['id']} | {MET[each['met']]} |" for part in read["part"] for each in part["control"]),
            *(line for part in read["part"] for line in _part(part)),
            "",
        ]
    )


def _part(part: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n## {part['title']}"
    for control in part["control"]:
        yield f"\n### {control['id']}\n"
        yield f"*{control['asks']}*\n"
        yield f"**{MET[control['met']].capitalize()}.** {control['how']}".rstrip()
        if control["left"]:
            yield f"\nLeft to you: {control['left']}"
        if control["tests"]:
            yield f"\nHeld by: {', '.join(map(_test, control['tests']))}."


def _test(node_id: str) -> str:
    """A link to the test's file, in the words of its name."""
    path, _, name = node_id.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../../{path}#{name})"
