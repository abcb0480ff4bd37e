"""What the comparison over a broker amounts to: which way a ratio goes, and whether it is met."""

from __future__ import annotations

from benchmarks.server.__main__ import FLOOR, OURS, STOCK, Figures, page_of, ratio_of

FIGURES: Figures = {
    OURS: {"one_op": [0.2, 0.3, 0.25], "runs": [600.0]},
    STOCK: {"one_op": [5.0], "runs": [20.0], "chain": [25.0]},
    FLOOR: {"one_op": [0.01]},
}
TITLES = {OURS: "the node", STOCK: "stock", FLOOR: "the floor"}


def test_a_ratio_says_how_many_times_better_the_node_is() -> None:
    """Otherwise a slower node looks like a faster one: seconds are better small, runs a minute large."""
    assert ratio_of(FIGURES, "one_op", STOCK) == 20.0
    assert ratio_of(FIGURES, "runs", STOCK) == 30.0


def test_without_a_figure_there_is_no_ratio() -> None:
    assert ratio_of(FIGURES, "chain", STOCK) is None
    assert ratio_of({OURS: {"one_op": [1.0]}}, "one_op", STOCK) is None


def test_the_page_says_what_is_met_and_what_was_not_measured() -> None:
    page = page_of(FIGURES, TITLES, ["one_op", "chain", "runs"], quick=True)
    assert "| a run of one op (s) | 0.25 | 5 | 0.01 | 20.0x | >= 15x | met |" in page
    assert "| a chain of 20 ops (s) | - | 25 | - | - | >= 10x |  |" in page
    assert "--quick" in page
