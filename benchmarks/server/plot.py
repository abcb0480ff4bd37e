"""The picture of the comparison: a panel for each work, a bar for each side, on logarithmic scales.

Drawn by matplotlib, which the examples bring along.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.server.comparison import OURS, Comparison, figure_of, title_of

COLUMNS = 2
OWN_COLOUR, OTHER_COLOUR = "#0b6e4f", "#9aa5b1"
# Text stays text, and the same figures give the same file.
SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "phems"}


def draw(comparison: Comparison, works: Sequence[str], target: Path) -> None:
    """Write the picture as SVG. A side that has not done a work has no bar in its panel."""
    rows = -(-len(works) // COLUMNS)
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(11, 0.6 + 2.6 * rows), layout="constrained")
        for place, work in enumerate(works, 1):
            found = [(name, figure_of(comparison, name, work)) for name in reversed(comparison)]
            bars = [(name, value) for name, value in found if value is not None]
            axes = figure.add_subplot(rows, COLUMNS, place)
            axes.set_title(title_of(work) + (", more is better" if work == "runs" else ""), fontsize=10)
            if not bars:
                continue
            drawn = axes.barh(
                [comparison[name].title for name, _ in bars],
                [value for _, value in bars],
                color=[OWN_COLOUR if name == OURS else OTHER_COLOUR for name, _ in bars],
            )
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlim(min(value for _, value in bars) / 3, max(value for _, value in bars) * 4)
            axes.bar_label(drawn, [f"{value:.3g}" for _, value in bars], padding=3, fontsize=8)
            axes.tick_params(labelsize=8)
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(target, format="svg", metadata={"Date": None})
