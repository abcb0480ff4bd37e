"""Where lineage events go, as node.yaml says it: never in the clear to another machine."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from phems.nodespec.lineage import Collector, Lineage


def test_a_file_and_a_collector_are_asked_for_by_name() -> None:
    """Nothing is written or sent that the operator has not asked for."""
    nothing = Lineage()
    assert (nothing.file, nothing.collector) == (None, None)
    asked = Lineage.model_validate(
        {
            "file": {"size": "1MiB"},
            "collector": {"url": "https://marquez.hospital.example/api/v1/lineage", "token": "env:TOKEN"},
        }
    )
    assert asked.file is not None
    assert (asked.file.size, asked.file.keep) == (2**20, 10)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://marquez.hospital.example/api/v1/lineage"}, "no address that lineage may go to"),
        ({"url": "https://name:word@marquez.hospital.example/"}, "no address that lineage may go to"),
        ({"url": "http://127.0.0.1:5000/", "token": "s3cret"}, "stands in node.yaml"),
    ],
)
def test_a_slip_is_told(given: dict[str, str], said: str) -> None:
    """Otherwise names of jobs cross the network in the clear, or a token lies in Git."""
    with pytest.raises(ValidationError, match=said):
        Collector.model_validate(given)
