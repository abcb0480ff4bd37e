# ruff: noqa: INP001 (part of a script, not of a package)
"""The picture of the layers: what import-linter holds, and what each package says of itself."""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
LAYERS = "Layers:"
# The contracts of import-linter that keep packages apart from the layers, and what the picture calls these.
APART: Mapping[str, str] = {
    "The wall: the project side imports": "beyond the wall: project code's side",
    "What reads hostile files, and what it imports": "apart: what reads hostile files",
}
LEFT, WIDTH, GAP, LINE = 20, 540, 8, 16
ASIDE, ASIDE_WIDTH = 620, 280
LETTER = 6.3  # of the small font, in pixels, on the wide side
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 {height}" role="img" aria-labelledby="title desc" \
font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="14">
  <title id="title">The layers of the code, and what stands apart from them</title>
  <desc id="desc">{said}</desc>
  <style>
    .ink {{ fill: #1f2933; font-weight: 600; }} .soft {{ fill: #52606d; font-size: 12px; }}
    .box {{ fill: #ffffff; stroke: #627d98; stroke-width: 1.3; }}
    .apart {{ fill: #fdf6e9; stroke: #b7791f; stroke-width: 1.3; }}
    .wall {{ stroke: #b7791f; stroke-width: 5; stroke-dasharray: 22 5; }}
    @media (prefers-color-scheme: dark) {{
      .ink {{ fill: #e6edf3; }} .soft {{ fill: #a9b4c0; }} .box {{ fill: #21262d; stroke: #8ba3bd; }}
      .apart {{ fill: #2b2416; stroke: #d69e2e; }} .wall {{ stroke: #d69e2e; }}
    }}
  </style>
"""


@dataclass(frozen=True)
class Box:
    """A package where it is drawn."""

    name: str
    kind: str
    x: int
    y: int
    width: int

    @property
    def lines(self) -> Sequence[str]:
        """What it says of itself, as wide as the box is."""
        return textwrap.wrap(_says(self.name), int((self.width - 24) / LETTER))

    @property
    def height(self) -> int:
        """Of the name and the lines below it."""
        return 30 + LINE * len(self.lines)

    def drawn(self, height: int) -> Iterator[str]:
        """The box as SVG, as high as those beside it."""
        place = f'x="{self.x}" y="{self.y}" width="{self.width}" height="{height}"'
        yield f'  <rect class="{self.kind}" {place} rx="6"/>'
        yield _text("ink", self.x + 12, self.y + 20, self.name)
        for number, line in enumerate(self.lines):
            yield _text("soft", self.x + 12, self.y + 38 + LINE * number, line)


def layers_picture() -> str:
    """`images/layers.svg`."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    found = {each["name"]: each for each in contracts["contracts"]}
    layers = [_names(layer) for layer in _contract(found, LAYERS)["layers"]]
    drawn, y = [], 46
    for row in layers:
        y = _row(drawn, row, y)
    height, said = y + 12, ["From top to bottom; an import may only point down: " + _told(layers) + "."]
    y = 46
    for name, title in APART.items():
        contract = _contract(found, name)
        free = [
            each for row in layers for each in row if f"phems.{each}" not in contract["forbidden_modules"]
        ]
        packages = _names(" | ".join(contract["source_modules"]))
        said.append(f"{title.capitalize()}: {', '.join(packages)}, with {', '.join(free)} alone.")
        drawn.append(_text("soft", ASIDE, y - 10, title))
        for package in packages:
            box = Box(package, "apart", ASIDE, y, ASIDE_WIDTH)
            drawn += box.drawn(box.height)
            y += box.height + GAP
        drawn.append(_text("soft", ASIDE, y + 8, f"import {', '.join(free)} alone;"))
        drawn.append(_text("soft", ASIDE, y + 8 + LINE, "nothing of the node imports them"))
        y += 58 + LINE
    height = max(height, y)
    wall = f'  <path class="wall" d="M590 24V{height - 12}"/>'
    top = _text("soft", LEFT, 32, "the control plane: an import may only point down")
    return HEAD.format(height=height, said=escape(" ".join(said))) + "\n".join(
        [top, wall, *drawn, "</svg>", ""]
    )


def _row(drawn: list[str], names: Sequence[str], y: int) -> int:
    """Draw a layer; where the next one begins."""
    width = (WIDTH - GAP * (len(names) - 1)) // len(names)
    boxes = [Box(name, "box", LEFT + number * (width + GAP), y, width) for number, name in enumerate(names)]
    height = max(box.height for box in boxes)
    for box in boxes:
        drawn += box.drawn(height)
    return y + height + GAP


def _contract(found: Mapping[str, Any], beginning: str) -> Any:
    return next(contract for name, contract in found.items() if name.startswith(beginning))


def _names(layer: str) -> list[str]:
    return [name.strip().removeprefix("phems.") for name in layer.split("|")]


def _told(layers: Sequence[Sequence[str]]) -> str:
    return "; ".join(", ".join(row) for row in layers)


def _says(package: str) -> str:
    """The first sentence of a package's docstring."""
    place = ROOT / "src" / "phems" / package
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return said.split("\n\n")[0].replace("\n", " ").replace("`", "").partition(". ")[0].rstrip(".")


def _text(kind: str, x: int, y: int, text: str) -> str:
    return f'  <text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'
