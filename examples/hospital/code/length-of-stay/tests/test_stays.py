"""The counts, with the version of the library that the project locks."""

from length_of_stay.defs.stays import told


def test_counts_are_told_to_the_nearest_ten() -> None:
    assert told([1.0] * 23 + [30.0] * 4) == {"a week at most": 20, "longer": None}
