"""The federation example's coordinator averages what it should, and nothing else."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples.federation.coordinator.federation import read_federation
from examples.federation.coordinator.models import read_model, version_of, write_model
from examples.federation.coordinator.updates import Update, average, read_update
from hypothesis import given
from hypothesis import strategies as st

from phems.errors import InputError, IntegrityError, NotFoundError

NAMES = ("intercept", "age")
GOOD: dict[str, Any] = {"round": 2, "patients": 120, "coefficients": {"intercept": -1.5, "age": 0}}


def read(content: Any) -> Update:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_update(text, node="alder", number=2, names=NAMES)


def test_an_update_is_read() -> None:
    """Otherwise no round ends."""
    assert read(GOOD) == Update("alder", 120, {"intercept": -1.5, "age": 0.0})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"round": 1}, "it is of round 1, and this is round 2"),
        ({"round": True}, "it is of round True"),
        ({"patients": 0}, "of 0 patients"),
        ({"patients": -5}, "of -5 patients"),
        ({"patients": 12.5}, "of 12.5 patients"),
        ({"patients": True}, "of True patients"),
        ({"coefficients": {"intercept": 1.0}}, "must be intercept, age"),
        ({"coefficients": {"intercept": 1.0, "age": 1.0, "sex": 1.0}}, "must be intercept, age"),
        ({"coefficients": [1.0, 2.0]}, "must be intercept, age"),
        ({"coefficients": {"intercept": [1.0], "age": 1.0}}, "intercept is [1.0]"),
        ({"coefficients": {"intercept": "1.0", "age": 1.0}}, "intercept is '1.0'"),
        ({"coefficients": {"intercept": True, "age": 1.0}}, "intercept is True"),
        ({"coefficients": {"intercept": math.nan, "age": 1.0}}, "it holds NaN"),
        ({"coefficients": {"intercept": -math.inf, "age": 1.0}}, "it holds -Infinity"),
        ({"more": 1}, "and nothing else"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value.replace(" ", "-"),
)
def test_an_update_that_is_not_what_was_agreed_on_is_refused(changes: dict[str, Any], why: str) -> None:
    """Otherwise one hospital's mistake, or malice, is in everybody's model."""
    with pytest.raises(IntegrityError) as refusal:
        read({**GOOD, **changes})
    assert "alder" in refusal.value.what
    assert why in refusal.value.why


@pytest.mark.parametrize("content", [b"\x80\x04]", b"", b"[]", b'{"round": 1e999}'], ids=range(4))
def test_what_is_no_update_is_refused(content: bytes) -> None:
    """Otherwise a pickle, or nothing, is an update; 1e999 would be an infinite number."""
    with pytest.raises(IntegrityError):
        read(content)


def test_an_infinite_number_by_another_name_is_refused() -> None:
    """Otherwise 1e999 would make every coefficient infinite."""
    with pytest.raises(IntegrityError, match="alder"):
        read(b'{"round": 2, "patients": 120, "coefficients": {"intercept": 1e999, "age": 0}}')


FINITE = st.floats(-50, 50)


@given(st.lists(st.tuples(st.integers(1, 10_000), FINITE, FINITE), min_size=1, max_size=5))
def test_the_average_is_weighted_by_patients(sent: list[tuple[int, float, float]]) -> None:
    """Otherwise a small hospital counts as much as a large one."""
    updates = [Update(str(n), n, {"intercept": a, "age": b}) for n, a, b in sent]
    weights = [n for n, _, _ in sent]
    for column, name in enumerate(NAMES, 1):
        wanted = np.average([row[column] for row in sent], weights=weights)
        assert average(updates)[name] == pytest.approx(wanted, abs=1e-9)


def test_a_model_is_read_as_it_was_written_and_not_written_over(tmp_path: Path) -> None:
    """Otherwise two nodes train from two models in one round."""
    model = {"intercept": -1.25, "age": 0.5}
    write_model(tmp_path, 2, model)
    assert read_model(tmp_path, 2) == model
    version = version_of(tmp_path, 2)
    write_model(tmp_path, 2, model)  # a coordinator that was broken off does the round again
    with pytest.raises(InputError, match="is there already"):
        write_model(tmp_path, 2, {**model, "age": 0.6})
    assert version_of(tmp_path, 2) == version
    with pytest.raises(NotFoundError, match="no round 3 yet"):
        read_model(tmp_path, 3)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"nodes": {}}'], ids=range(4))
def test_a_folder_that_does_not_say_what_was_agreed_on_is_told(tmp_path: Path, text: str | None) -> None:
    """Otherwise its operator reads a traceback."""
    if text is not None:
        (tmp_path / "federation.json").write_text(text)
    with pytest.raises(InputError, match="does not say what was agreed on"):
        read_federation(tmp_path)
