"""The project's documents as tests read them: fenced blocks, what CI is to do with each, and links.

What a reader types stands in a block marked `sh`, and every one of them runs. What the reader does by
other means is said to CI in a comment that no reader sees, on a line of its own before a block:

    <!-- ci: merge FILE -->   the yaml block below is merged into FILE, as the reader would do in an editor
    <!-- ci: write FILE -->   the block below is FILE
    <!-- ci: fails with N --> the sh block below must end with the exit code N
    <!-- ci: prints -->       the text block below is part of what the block before printed; ... is anything
    <!-- ci: demo prints -->  as above, of what `phems demo` prints; names and numbers may differ
    <!-- ci: in FILE -->      the sh block below is not run here: FILE of the checkout runs each of its lines
    <!-- ci: run COMMAND -->  a command that stands for something a reader does or waits for
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_DIRECTIVE = re.compile(r"^\s*<!-- ci: (?P<verb>[a-z]+)(?: (?P<what>.+?))? -->$")
_FENCE = re.compile(r"^(?P<indent>\s*)```(?P<language>\w*)$")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)|(?:src|srcset)=\"(?P<source>[^\"]+)\"")
_HEADING = re.compile(r"^#+ (?P<title>.+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block, or a `run` comment; `line` is where it begins."""

    language: str
    text: str
    line: int
    verb: str = ""
    what: str = ""


def pages() -> list[Path]:
    """Every document that people read: Markdown at the top, in docs and in the example."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page in their order, each with the comment that stands before it."""
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    verb = what = ""
    for number, line in lines:
        directive, fence = _DIRECTIVE.match(line), _FENCE.match(line)
        if directive and directive["verb"] == "run":
            yield Block("", directive["what"], number, "run")
        elif directive:
            verb, what = directive["verb"], directive["what"] or ""
        elif fence:
            indent = len(fence["indent"])
            text = []
            for _, inner in lines:
                if inner.strip() == "```":
                    break
                text.append(inner[indent:])
            yield Block(fence["language"], "\n".join(text), number, verb, what)
            verb = what = ""


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links and pictures, blocks left out."""
    in_block = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            in_block = not in_block
        elif not in_block:
            for found in _LINK.finditer(re.sub(r"`[^`]*`", "", line)):
                yield found["target"] or found["source"]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    found = set()
    for line in page.read_text(encoding="utf-8").splitlines():
        heading = _HEADING.match(line)
        if heading:
            kept = re.sub(r"[^\w\- ]", "", heading["title"].lower())
            found.add(kept.replace(" ", "-"))
    return found


@functools.cache
def tests_of(file: Path) -> frozenset[str]:
    """The tests that pytest would find in a file, which need not be imported for it."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, functions) and node.name.startswith("test_")
    )


def rows(page: Path, section: str) -> Iterator[str]:
    """The rows of the tables below a heading of the second level, without their heads."""
    text = page.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    for table in re.findall(r"(?m)^\|[-:| ]+\|\n((?:\|.*\n)+)", text):
        yield from table.splitlines()
