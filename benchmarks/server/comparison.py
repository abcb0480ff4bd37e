"""What was measured of the server profile and its peers, and what it amounts to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.server.works import WORKS

METHOD = (
    "Medians. Four steps at once on each side, one RabbitMQ for all that use one, each with the machine to "
    "itself. Work is given to a side that is up and warm, and has ended when that side's own record says so."
)
OURS, STOCK, FLOOR = "node", "dagster-celery", "celery"


@dataclass
class Measured:
    """One peer: seconds by work, or runs a minute for `runs`, and what a reader must know of them."""

    title: str
    figures: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    """Why it has no figures, or not all."""


Comparison = Mapping[str, Measured]
"""By the peer's name."""


def figure_of(comparison: Comparison, peer: str, work: str) -> float | None:
    """The median, when there is one."""
    measured = comparison.get(peer)
    return median(measured.figures[work]) if measured and measured.figures.get(work) else None


def ratio_of(comparison: Comparison, work: str, other: str) -> float | None:
    """How many times better the node is than another."""
    ours, theirs = figure_of(comparison, OURS, work), figure_of(comparison, other, work)
    if not ours or not theirs:
        return None
    return ours / theirs if work == "runs" else theirs / ours


def head_of(comparison: Comparison) -> list[str]:
    """The first row of the table of figures."""
    return [
        "work",
        *(each.title for each in comparison.values()),
        "node against dagster-celery",
        "target",
        "",
    ]


def rows_of(comparison: Comparison, works: Sequence[str]) -> list[list[str]]:
    """The table of figures."""
    rows = []
    for work in works:
        target, ratio = WORKS[work].target, ratio_of(comparison, work, STOCK)
        verdict = "" if target is None or ratio is None else ("met" if ratio >= target else "missed")
        rows.append(
            [
                title_of(work),
                *(_text(figure_of(comparison, peer, work)) for peer in comparison),
                "-" if ratio is None else f"{ratio:.1f}x",
                "-" if target is None else f">= {target:.0f}x",
                verdict,
            ]
        )
    return rows


def title_of(work: str) -> str:
    """A work with its unit."""
    return WORKS[work].title + (" (runs/min)" if work == "runs" else " (s)")


def ratio_rows(comparison: Comparison, works: Sequence[str]) -> list[list[str]]:
    """How many times better the node is than each, by work; the first row is the head."""
    others = [name for name in comparison if name != OURS]
    rows = [["work", *(comparison[name].title for name in others)]]
    for work in works:
        ratios = [ratio_of(comparison, work, name) for name in others]
        rows.append([WORKS[work].title, *("-" if each is None else f"{each:.3g}x" for each in ratios)])
    return rows


def page_of(
    comparison: Comparison, works: Sequence[str], *, written: str, about: Sequence[str], plot: str = ""
) -> str:
    """The page. `written` says how and when, `about` on what, `plot` is the file of the picture."""
    lines = [
        "# The server profile beside its peers",
        "",
        written,
        "",
        METHOD,
        "",
        *_markdown([head_of(comparison), *rows_of(comparison, works)]),
        "",
        "How many times better the node is; below 1, the peer is:",
        "",
        *_markdown(ratio_rows(comparison, works)),
        "",
    ]
    if plot:
        lines += [f"![Each work on each side; a logarithmic scale]({plot})", ""]
    lines += ["## What is not comparable", ""]
    for each in comparison.values():
        if each.problem:
            lines.append(f"- {each.title}, not measured in full: {' '.join(each.problem.split())}")
        lines += [f"- {each.title}: {note}" for note in each.notes]
    lines += ["", "## Where", "", *(f"- {line}" for line in about), ""]
    return "\n".join(lines)


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = rows
    lines = ["| " + " | ".join(row) + " |" for row in body]
    return ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *lines]


def _text(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3g}"
