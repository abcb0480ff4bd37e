"""The plot that may leave: survival on a grid of 30 days, as far as ten patients remain."""

import os
import tempfile
from pathlib import Path

# In a node's sandbox the home folder is read-only; matplotlib wants a place for its font list.
if "MPLCONFIGDIR" not in os.environ and not os.access(Path.home(), os.W_OK):
    os.environ["MPLCONFIGDIR"] = str(Path(tempfile.gettempdir(), f"matplotlib-{os.getuid()}"))

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from heart_attack.study import SMALL_CELL, TABLE_DAYS
from heart_attack.survival import at_days, releasable

_GRID = range(0, TABLE_DAYS[-1] + 1, 30)


def km_figure(curves: pd.DataFrame, stratum: str) -> Figure:
    """Curves of one stratum with their intervals, and the released numbers at risk below."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    labels = []
    for group, curve in curves[curves["stratum"] == stratum].groupby("group", sort=False):
        points = at_days(curve, _GRID)
        points = points[points["at_risk"] >= SMALL_CELL]
        axes.step(points["day"], points["survival"], where="post", label=group)
        axes.fill_between(points["day"], points["lower"], points["upper"], step="post", alpha=0.2)
        numbers = releasable(curve, TABLE_DAYS)["at_risk"]
        labels.append(f"{group}: " + "  ".join("<10" if pd.isna(n) else str(n) for n in numbers))
    axes.set(xlim=(0, TABLE_DAYS[-1]), ylim=(0, 1), xticks=TABLE_DAYS, ylabel="Survival")
    axes.set_xlabel(
        "Days since admission\n\nAt risk at these days, rounded to tens\n" + "\n".join(labels), fontsize=8
    )
    axes.set_title(f"Survival after a heart attack, by {stratum}")
    axes.legend(frameon=False)
    return figure
