"""The curves as a picture: one panel a figure, the sizes on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.growth.curves import FLAT, Curve
from benchmarks.server.plot import OWN_COLOUR, SETTINGS

COLUMNS = 3


def draw(curves: Sequence[Curve], target: Path) -> None:
    """Write the picture as SVG; a dashed line is as far as a flat figure may rise."""
    panels = [(curve, line) for curve in curves for line in curve.lines if curve.points(line)]
    rows = max(-(-len(panels) // COLUMNS), 1)
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(12, 0.5 + 2.8 * rows), layout="constrained")
        for place, (curve, line) in enumerate(panels, 1):
            axes = figure.add_subplot(rows, COLUMNS, place)
            points = curve.points(line)
            axes.plot(*zip(*points, strict=True), marker="o", color=OWN_COLOUR)
            limit = points[0][1] * FLAT if line.flat else line.at_most
            if limit is not None:
                axes.axhline(limit, linestyle="--", linewidth=1, color="#b3261e")
            axes.set_xscale("log")
            axes.set_ylim(0, 1.25 * max([limit or 0.0, *(figure for _, figure in points)]) or 1)
            axes.set_title(f"{line.title} ({line.unit})", fontsize=9)
            axes.set_xlabel(curve.grows, fontsize=8)
            axes.tick_params(labelsize=8)
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(target, format="svg", metadata={"Date": None})
