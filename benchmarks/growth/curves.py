"""What was measured of a growing node, and whether it stays flat. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

FLAT = 1.5
"""How many times its smallest size's cost a work may cost at the largest."""


@dataclass(frozen=True)
class Line:
    """One figure over the sizes. `at_most` is a target of its own; `flat` asks for no growth."""

    title: str
    unit: str
    flat: bool = False
    at_most: float | None = None


@dataclass
class Curve:
    """One way to grow: the figures by size and line."""

    title: str
    grows: str
    """What the sizes count."""
    filled: str
    """How the node came to its sizes."""
    lines: Sequence[Line]
    figures: dict[int, dict[str, float]] = field(default_factory=dict)
    problem: str = ""

    def points(self, line: Line) -> list[tuple[int, float]]:
        """Sizes and figures of a line, as far as it was measured."""
        return [
            (size, found[line.title]) for size, found in sorted(self.figures.items()) if line.title in found
        ]


def growth_of(curve: Curve, line: Line) -> float | None:
    """How many times the smallest size's figure the largest size's is."""
    points = curve.points(line)
    return points[-1][1] / points[0][1] if len(points) > 1 and points[0][1] > 0 else None


def verdict_of(curve: Curve, line: Line) -> str:
    """Whether the line is as it should be; empty when nothing is asked of it."""
    growth, points = growth_of(curve, line), curve.points(line)
    if line.flat and growth is not None:
        return f"{'met' if growth <= FLAT else 'missed'} (<= {FLAT:g}x)"
    if line.at_most is not None and points:
        return f"{'met' if points[-1][1] < line.at_most else 'missed'} (< {line.at_most:g} {line.unit})"
    return ""


def rows_of(curve: Curve) -> list[list[str]]:
    """The curve as a table, its head first."""
    sizes = sorted(curve.figures)
    rows = [[curve.grows, *(f"{size:,}" for size in sizes), "largest to smallest", "target"]]
    for line in curve.lines:
        found = dict(curve.points(line))
        growth = growth_of(curve, line)
        figures = [f"{found[size]:.3g}" if size in found else "-" for size in sizes]
        ratio = "-" if growth is None else f"{growth:.2f}x"
        rows.append([f"{line.title} ({line.unit})", *figures, ratio, verdict_of(curve, line)])
    return rows


def page_of(curves: Sequence[Curve], *, written: str, about: Sequence[str], plot: str) -> str:
    """The page of results."""
    lines = ["# What work costs as a node grows", "", written, "", f"![The curves]({plot})", ""]
    for curve in curves:
        head, *body = rows_of(curve)
        lines += [f"## {curve.title}", "", curve.filled, ""]
        lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        lines += ["| " + " | ".join(row) + " |" for row in body]
        lines += [""]
        if curve.problem:
            lines += [f"Not measured in full: {' '.join(curve.problem.split())}", ""]
    return "\n".join([*lines, "## Where", "", *(f"- {line}" for line in about), ""])
