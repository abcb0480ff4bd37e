"""Declarations of tables: taken whole, or refused with what is wrong."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from phems.contract.disclosure import FIELDS, KINDS, MAX_DECLARATION_BYTES, checked_declaration
from phems.errors import InputError


def test_a_declaration_is_filled_with_defaults() -> None:
    """Otherwise each check guesses what an author left out, each in its own way."""
    whole = checked_declaration({"kind": "frequency", "dimensions": ("sex",), "count": "patients"})
    assert set(whole) == set(FIELDS)
    assert whole["dimensions"] == ["sex"]
    assert (whole["unit"], whole["population"], whole["links"], whole["model"]) == ("patients", "", [], None)
    assert checked_declaration({})["kind"] == "other"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_may_be_said(kind: str) -> None:
    """Otherwise a kind of table cannot be declared at all."""
    declaration = {
        "kind": kind,
        "contributors": {"count": "n", "largest": ["first", "second"]},
        "model": {"residual_dof": 3, "parameters": 2, "observations": 5},
        "totals": "Total",
        "suppressed": "",
    }
    assert checked_declaration(declaration)["kind"] == kind


@pytest.mark.parametrize(
    ("declaration", "told"),
    [
        (None, "no dict"),
        ("frequency", "no dict"),
        ({"king": "frequency"}, "no key 'king'"),
        ({1: 2}, "no key '1'"),
        ({"kind": "secret"}, "one of frequency"),
        ({"kind": ["frequency"]}, "one of frequency"),
        ({"dimensions": "sex"}, "list of names"),
        ({"dimensions": [1]}, "list of names"),
        ({"count": 7}, "name of a column"),
        ({"contributors": {"biggest": []}}, "largest"),
        ({"contributors": {"largest": "a"}}, "largest"),
        ({"contributors": []}, "largest"),
        ({"model": {"observations": -1}}, "whole numbers"),
        ({"model": {"observations": True}}, "whole numbers"),
        ({"model": {"rows": 1}}, "whole numbers"),
        ({"model": MappingProxyType({"parameters": 2})}, "not JSON serializable"),
        ({"unit": None}, "what is counted"),
        ({"population": "x" * MAX_DECLARATION_BYTES}, "longer than"),
    ],
)
def test_what_no_check_could_read_is_refused(declaration: Any, told: str) -> None:
    """Otherwise an author believes a table declared that every check then passes over."""
    with pytest.raises(InputError) as refused:
        checked_declaration(declaration)
    assert told in refused.value.why
    assert "disclosure=" in refused.value.remedy
