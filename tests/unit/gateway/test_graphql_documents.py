"""Documents are read once, and what does not hold is refused every time."""

from __future__ import annotations

import pytest
from graphql import build_schema, specified_rules

from phems.gateway.graphql_documents import KEPT_CHARACTERS, GraphQLDocuments, InvalidDocumentError

SCHEMA = build_schema("type Query { run(id: String): String }")


@pytest.fixture
def documents() -> GraphQLDocuments:
    return GraphQLDocuments(SCHEMA, specified_rules)


def test_the_same_text_is_read_once(documents: GraphQLDocuments) -> None:
    assert documents.read("{ run }") is documents.read("{ run }")
    assert documents.read("{ run }") is not documents.read("{ run(id: null) }")


def test_a_long_text_is_not_kept(documents: GraphQLDocuments) -> None:
    text = "{ run }" + " " * KEPT_CHARACTERS
    assert documents.read(text) is not documents.read(text)
    assert documents.read(text) == documents.read(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [("{ run", "Expected Name"), ("{ walk }", "Cannot query field 'walk'"), ("", "Unexpected <EOF>")],
)
def test_what_does_not_hold_is_refused_every_time(documents: GraphQLDocuments, text: str, why: str) -> None:
    for _ in range(2):
        with pytest.raises(InvalidDocumentError) as caught:
            documents.read(text)
        assert why in caught.value.errors[0].message
        assert caught.value.errors[0].locations
