"""What one GraphQL document may ask: measured as it will be executed, and before it is."""

from __future__ import annotations

import pytest
from graphql import get_introspection_query

from phems.errors import InputError
from phems.gateway.query_limits import LIMITS, check_query


def nested(levels: int) -> str:
    return "{ a " * levels + "}" * levels


def doubling(fragments: int) -> str:
    """A few lines that stand for two to the power of `fragments` fields."""
    text = "query { ...F0 }"
    for number in range(fragments):
        text += f" fragment F{number} on T {{ a {{ ...F{number + 1} }} b {{ ...F{number + 1} }} }}"
    return text + f" fragment F{fragments} on T {{ c }}"


def chain(fragments: int) -> str:
    """Fragments within one another, as deep as nothing that is written out can be."""
    parts = (f"fragment F{number} on T {{ a {{ ...F{number + 1} }} }}" for number in range(fragments))
    return f"{{ ...F0 }} {' '.join(parts)} fragment F{fragments} on T {{ c }}"


TOO_MUCH = {
    "depth": nested(LIMITS.depth + 1),
    "depth of fragments in fragments": chain(1500),
    "fields of fragments in fragments": doubling(20),
    "aliases": "{ r { " + " ".join(f"a{n}: b" for n in range(LIMITS.aliases + 1)) + " } }",
    "questions": "{ " + " ".join(f"a{n}: version" for n in range(LIMITS.roots + 1)) + " }",
    "questions in a fragment": "{ ...F } fragment F on Q { "
    + " ".join(f"a{n}: version" for n in range(LIMITS.roots + 1))
    + " }",
    "a page": "{ runs(limit: 1000000) { id } }",
    "a page by default": "query($n: Int = 1000000) { runs(limit: $n) { id } }",
    "operations": " ".join(f"query Q{n} {{ version }}" for n in range(LIMITS.operations + 1)),
    "words": "{ " + "a " * 30_000 + "}",
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_asks_for_too_much_is_refused(what: str) -> None:
    """Otherwise one signed-in person's few lines hold up everybody's node."""
    with pytest.raises(InputError) as told:
        check_query(TOO_MUCH[what])
    assert told.value.why
    assert told.value.remedy


def test_a_page_asked_for_by_a_variable_is_measured() -> None:
    query = "query($n: Int!) { runs(limit: $n) { id } }"
    check_query(query, {"n": 100})
    with pytest.raises(InputError, match="too much"):
        check_query(query, {"n": 1_000_000})
    check_query("query($n: Int!) { runs(number: $n) { id } }", {"n": 1_000_000})


def test_what_tools_and_people_ask_passes() -> None:
    """Otherwise GraphQL tools cannot read the schema, and scripts cannot page."""
    check_query(get_introspection_query())
    check_query("{ runsOrError(limit: 500) { ... on Runs { results { id tags { key value } } } } }")
    check_query("query A { ...F } query B { ...F } fragment F on Query { version }")


@pytest.mark.parametrize(
    "text", ["", "{", nested(5000), "fragment F on Q { ...F }", "{ ...F } fragment F on Q { ...F }"]
)
def test_what_is_no_query_is_left_to_dagster_to_tell(text: str) -> None:
    check_query(text)
