"""Spans of processes that never spoke to each other are one tree, and hold what is in the table alone."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.traces import SPAN_KINDS, Place, RunTrace, Span, place_of

PLACES = st.builds(Place, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1))
RUN = "0d4f6f3e-5c1d-4d0c-9f7c-1f5c1a5b2c3d"


@given(PLACES)
def test_a_place_is_what_its_traceparent_says(place: Place) -> None:
    assert place_of(place.traceparent) == place


@pytest.mark.parametrize(
    "said",
    [
        "",
        f"00-{'0' * 32}-{'1' * 16}-01",
        f"00-{'1' * 32}-{'0' * 16}-01",
        f"00-{'A' * 32}-{'1' * 16}-01",
        f"00-{'1' * 32}-{'1' * 16}-01-more",
        f"01-{'1' * 32}-{'1' * 16}-01",
    ],
)
def test_what_is_no_traceparent_names_no_place(said: str) -> None:
    """A run with such a tag has a trace of its own, rather than one that no collector takes."""
    trace = RunTrace.of(RUN, said)
    assert trace.parent is None
    assert f"{trace.run.trace_id:032x}" == RUN.replace("-", "")


@given(PLACES, st.text(), st.text(), st.integers(1, 99))
def test_whoever_knows_run_and_attempt_knows_the_place(
    parent: Place, one: str, other: str, number: int
) -> None:
    run_id = str(uuid4())
    here, there = (RunTrace.of(run_id, parent.traceparent) for _ in range(2))
    assert here.of_step("step process", one, number) == there.of_step("step process", one, number)
    places = {here.run, *(here.of_step(kind, one, number) for kind in SPAN_KINDS)}
    assert len(places) == 1 + len(SPAN_KINDS)
    assert {place.trace_id for place in places} == {parent.trace_id}
    assert (here.of_step("step process", other, number) in places) is (one == other)


def test_a_span_holds_what_its_table_has_and_nothing_else() -> None:
    """An attribute that somebody adds in a hurry may be a patient."""
    place = Place(1, 2)
    span = Span("request", place, None, 1, 2, {"http.request.method": "GET", "http.route": "page"})
    assert span.name == "GET page"
    assert Span("run", place, None, 1, 2, {}).name == "run"
    with pytest.raises(ValueError, match="has no error, patient"):
        Span("run", place, None, 1, 2, {"patient": "x", "error": "y"})
