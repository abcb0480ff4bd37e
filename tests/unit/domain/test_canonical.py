"""The canonical form: the same value has the same digest, whoever wrote it down."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.canonical import canonical, digest, parse, sha256
from phems.errors import InputError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


class Colour(StrEnum):
    """A text that is an enumeration as well."""

    RED = "red"


def test_the_example_of_rfc_8785_has_the_bytes_the_rfc_says() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


@given(JSON)
def test_what_is_written_in_any_way_and_read_again_has_the_same_digest(value: Any) -> None:
    assert digest(parse(json.dumps(value))) == digest(value)
    assert digest(parse(canonical(value))) == digest(value)


@given(JSON)
def test_the_short_way_to_the_bytes_gives_those_of_the_long_one(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="canonical JSON"):
        canonical({"name": "\ud800"})


def test_an_integer_past_the_safe_ones_is_read_as_the_float_it_was() -> None:
    assert canonical(parse("10000000000000000")) == canonical(1e16)


def test_tuples_mappings_and_text_enumerations_are_what_they_look_like() -> None:
    assert canonical(MappingProxyType({"a": (1, Colour.RED)})) == b'{"a":[1,"red"]}'


def test_the_digest_is_sha256_of_the_bytes() -> None:
    assert digest([]) == sha256(b"[]") == hashlib.sha256(b"[]").hexdigest()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": [1, {2}]}, r"value\.a\[1\] is a set"),
        ({1: "a"}, "the key 1"),
        ({"a": "b\x00c"}, r"value\.a holds a NUL"),
        ({"a\x00": 1}, "a key of value holds a NUL"),
        (b"bytes", "value is a bytes"),
        (2**53, "canonical JSON"),
        (float("nan"), "canonical JSON"),
        (float("inf"), "canonical JSON"),
        ("\ud800", "canonical JSON"),
    ],
)
def test_what_has_no_canonical_form_is_refused_and_its_place_named(value: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        canonical(value)
