"""What the growth curves amount to: whether a figure stays flat, and what the page and the picture tell."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from benchmarks.growth.__main__ import sizes_of
from benchmarks.growth.curves import Curve, Line, growth_of, page_of, rows_of
from benchmarks.growth.plot import draw

RUN, PAGE, MEMORY = (
    Line("run", "s", flat=True),
    Line("page", "s", flat=True),
    Line("more", "MB", at_most=80.0),
)
CURVE = Curve(
    "Events",
    "events",
    "Copies of one run.",
    (RUN, PAGE, MEMORY),
    {
        1_000_000: {"run": 0.3, "page": 0.4, "more": 79.0},
        1_000: {"run": 0.2, "page": 0.2},
    },
)


def test_growth_is_from_the_smallest_size_to_the_largest_in_whatever_order_they_were_measured() -> None:
    assert growth_of(CURVE, PAGE) == 2.0


def test_one_size_alone_says_nothing_of_growth() -> None:
    """Otherwise a run that broke off early would look flat."""
    assert growth_of(Curve("Events", "events", "", (RUN,), {1: {"run": 1.0}}), RUN) is None


def test_a_row_says_whether_its_target_is_met() -> None:
    assert rows_of(CURVE) == [
        ["events", "1,000", "1,000,000", "largest to smallest", "target"],
        ["run (s)", "0.2", "0.3", "1.50x", "met (<= 1.5x)"],
        ["page (s)", "0.2", "0.4", "2.00x", "missed (<= 1.5x)"],
        ["more (MB)", "-", "79", "-", "met (< 80 MB)"],
    ]


def test_the_page_says_how_the_node_was_filled() -> None:
    """A size that was made with SQL is not a size that was lived."""
    page = page_of([CURVE], written="Written today.", about=["cores: 2"], plot="growth.svg")
    assert "Copies of one run." in page
    assert "| page (s) | 0.2 | 0.4 | 2.00x | missed (<= 1.5x) |" in page


def test_the_picture_has_a_panel_for_each_figure(tmp_path: Path) -> None:
    draw([CURVE], tmp_path / "growth.svg")
    svg = (tmp_path / "growth.svg").read_text()
    for text in ("run (s)", "page (s)", "more (MB)"):
        assert f">{text}</text>" in svg


def test_sizes_are_measured_from_small_to_large() -> None:
    """A node only grows: a size below one that it has had already would not be that size."""
    assert sizes_of("events=1000000,1000") == ("events", [1_000, 1_000_000])
    with pytest.raises(ArgumentTypeError, match="no such curve"):
        sizes_of("weather=1")
