"""What the comparison over a broker amounts to: which way a ratio goes, whether it is met, what is told."""

from __future__ import annotations

from pathlib import Path

from benchmarks.server.comparison import FLOOR, OURS, STOCK, Measured, page_of, ratio_of, ratio_rows
from benchmarks.server.plot import draw

FIGURES = {
    OURS: Measured("the node", {"one_op": [0.2, 0.3, 0.25], "runs": [600.0]}),
    STOCK: Measured("stock", {"one_op": [5.0], "runs": [20.0], "chain": [25.0]}, notes=["no sandbox"]),
    FLOOR: Measured("the floor", {"one_op": [0.01]}),
    "gone": Measured("gone", problem="gone is not installed:\n no wheel"),
}
WORKS = ["one_op", "chain", "runs"]


def test_a_ratio_says_how_many_times_better_the_node_is() -> None:
    """Otherwise a slower node looks like a faster one: seconds are better small, runs a minute large."""
    assert ratio_of(FIGURES, "one_op", STOCK) == 20.0
    assert ratio_of(FIGURES, "runs", STOCK) == 30.0


def test_without_a_figure_there_is_no_ratio() -> None:
    assert ratio_of(FIGURES, "chain", STOCK) is None
    assert ratio_of({OURS: Measured("the node", {"one_op": [1.0]})}, "one_op", STOCK) is None


def test_the_node_is_set_beside_each_peer() -> None:
    """A peer that is faster shows as less than 1x, and is not left out."""
    assert ratio_rows(FIGURES, ["one_op"]) == [
        ["work", "stock", "the floor", "gone"],
        ["a run of one op", "20x", "0.04x", "-"],
    ]


def test_the_page_says_what_is_met_and_what_was_not_measured() -> None:
    page = page_of(FIGURES, WORKS, written="Written today.", about=["cores: 2"], plot="results.svg")
    assert "| a run of one op (s) | 0.25 | 5 | 0.01 | - | 20.0x | >= 15x | met |" in page
    assert "| a chain of 20 ops (s) | - | 25 | - | - | - | >= 10x |  |" in page
    assert "- gone, not measured in full: gone is not installed: no wheel" in page
    assert "- stock: no sandbox" in page
    assert "(results.svg)" in page


def test_the_picture_has_a_panel_for_each_work_and_is_the_same_each_time(tmp_path: Path) -> None:
    """One that differs without a new figure is a change to look at for nothing."""
    pictures = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for picture in pictures:
        draw(FIGURES, WORKS, picture)
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    svg = pictures[0].read_text()
    for text in ("a run of one op (s)", "the node", "stock", "0.25"):
        assert f">{text}</text>" in svg
