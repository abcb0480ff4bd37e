"""The counts, with the version of the library that the project locks."""

from tumour_grade.defs.grades import told


def test_counts_are_told_by_hundreds() -> None:
    assert told(["I"] * 40 + ["II"] * 160) == {"I": "fewer than 100", "II": "about 200"}
