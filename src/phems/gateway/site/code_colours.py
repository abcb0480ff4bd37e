"""The lines of a diff as pages show them: numbered on both sides, with syntax colours.

What is coloured is project code: hostile, and bounded in what a page spends on it. Lexers are those of a
short list; what they give is text in classes of our own, which templates escape. A carriage return, which a
page would take for the end of a line, is shown as a sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, String
from pygments.util import ClassNotFound

from phems.domain.outputs import extension_of

_LEXERS: Mapping[str, str] = {
    "py": "python",
    "pyi": "python",
    "toml": "toml",
    "lock": "toml",
    "yaml": "yaml",
    "yml": "yaml",
    "json": "json",
    "md": "markdown",
    "sql": "sql",
    "r": "r",
    "sh": "bash",
    "cfg": "ini",
    "ini": "ini",
}
# The first that a token is of gives its class.
_CLASSES: Sequence[tuple[Any, str]] = (
    (Comment, "c"),
    (Keyword, "k"),
    (String, "s"),
    (Number, "n"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "f"),
    (Name.Builtin, "b"),
)
_RANGE = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,(\d+))? @@")
MOST_COLOURED = 100_000
LONGEST_LINE = 1000

Parts = tuple[tuple[str, str], ...]
"""Pieces of a line, each with its class; an empty class is plain text."""


@dataclass(frozen=True)
class DiffLine:
    """One line of a diff. `kind` is added, removed, same or place (where a part begins)."""

    kind: str
    old: int | None
    new: int | None
    parts: Parts


def shown_lines(path: str, lines: Sequence[str]) -> list[DiffLine]:
    """The lines of a unified diff of one file."""
    coloured = sum(map(len, lines)) <= MOST_COLOURED
    lines = [line.replace("\r", "\u240d") for line in lines]
    found: list[DiffLine] = []
    for header, part in _parts(lines):
        match = _RANGE.match(header)
        old, new = (int(match[1]), int(match[2])) if match else (1, 1)
        found.append(DiffLine("place", None, None, (("", _place(header, match)),)))
        sides = {
            side: iter(_coloured(path, [line[1:] for line in part if line[0] in side], colour=coloured))
            for side in (" -", " +")
        }
        for line in part:
            if line[0] == "+":
                found.append(DiffLine("added", None, new, next(sides[" +"])))
                new += 1
            elif line[0] == "-":
                found.append(DiffLine("removed", old, None, next(sides[" -"])))
                old += 1
            elif line[0] == " ":
                next(sides[" -"])
                found.append(DiffLine("same", old, new, next(sides[" +"])))
                old, new = old + 1, new + 1
            else:
                found.append(DiffLine("place", None, None, (("", line.lstrip("\\ ")),)))
    return found


def _place(header: str, match: re.Match[str] | None) -> str:
    """Where a part stands in the new file, in words."""
    if match is None:
        return header
    first, length = int(match[2]), int(match[3] or 1)
    if length == 0:
        return "Removed" if first == 0 else f"Removed after line {first:,}"
    return f"Line {first:,}" if length == 1 else f"Lines {first:,} to {first + length - 1:,}"


def _parts(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The parts of a diff: where each begins, and its lines."""
    header, part = "", list[str]()
    for line in lines[2:]:  # after the two with the names
        if line.startswith("@@ "):
            if header:
                yield header, part
            header, part = line, []
        elif line:
            part.append(line)
    if header:
        yield header, part


def _coloured(path: str, lines: list[str], *, colour: bool) -> list[Parts]:
    lexer = _lexer(path) if colour else None
    if lexer is None or not lines or any(len(line) > LONGEST_LINE for line in lines):
        return [(("", _cut(line)),) for line in lines]
    done: list[list[tuple[str, str]]] = [[]]
    for kind, text in lexer.get_tokens("\n".join(lines)):
        for number, piece in enumerate(text.split("\n")):
            if number:
                done.append([])
            if piece:
                done[-1].append((_class(kind), piece))
    whole = [tuple(parts) for parts in done[: len(lines)]]
    # A lexer that lost a line is not believed.
    agrees = all(
        "".join(text for _, text in parts) == line for parts, line in zip(whole, lines, strict=False)
    )
    return whole if agrees and len(whole) == len(lines) else [(("", line),) for line in lines]


def _class(kind: Any) -> str:
    return next((name for known, name in _CLASSES if kind in known), "")


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."


@cache
def _lexer_named(name: str) -> Any:
    try:
        return get_lexer_by_name(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _lexer(path: str) -> Any:
    name = _LEXERS.get(extension_of(path))
    return _lexer_named(name) if name is not None else None
