"""Sizes: a limit that is read wrong is a limit that does not hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.nodespec.sizes import LARGEST, UNITS, format_size, parse_size


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (1024, 1024),
        ("1024", 1024),
        ("2GiB", 2 * 1024**3),
        ("2 GiB", 2 * 1024**3),
        ("2gib", 2 * 1024**3),
        ("50MB", 50_000_000),
        ("50mb", 50_000_000),
        ("1.5GiB", 1_610_612_736),
        ("0.5 KiB", 512),
        (" 1TiB ", 1024**4),
        ("10B", 10),
    ],
)
def test_a_size_means_what_its_unit_says(written: int | str, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "GiB", "-1", "-1GiB", 0, -5, "0MiB", "2 Gigs", "2GiBB", "1e9", "0.3B", "1.5", "2Ki", "2M"),
        *("9999999TiB", True, None, 1.5, [1], "\uff11GiB", "1,5GiB", "1" * 5000, "2\nGiB", "1_000"),
    ],
)
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_size(written)  # type: ignore[arg-type]


@given(st.integers(1, LARGEST))
def test_a_size_written_by_the_node_is_read_as_the_same_size(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.text() | st.integers() | st.floats() | st.none())
def test_any_value_is_a_size_within_bounds_or_a_value_error(value: object) -> None:
    try:
        size = parse_size(value)  # type: ignore[arg-type]
    except ValueError:
        return
    assert 0 < size <= LARGEST


@given(st.integers(1, 1000), st.sampled_from(sorted(UNITS)))
def test_units_multiply(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * UNITS[unit]
