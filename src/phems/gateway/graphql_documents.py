"""GraphQL documents, read once: Dagster's pages send the same few texts again and again.

To parse and validate a document costs a third of what it takes to answer the list of runs. Both depend on
its text and on the schema alone, so the outcome is kept for documents that hold.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from graphql import ASTValidationRule, DocumentNode, GraphQLError, GraphQLSchema, parse, validate

# A parsed document takes some sixty bytes for each character: at most some 60 MB in all.
KEPT_DOCUMENTS = 128
KEPT_CHARACTERS = 8_000


class InvalidDocumentError(Exception):
    """A text that is no GraphQL, or that the schema does not know; `errors` says where."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(*errors)
        self.errors = errors


class GraphQLDocuments:
    """The documents of one schema."""

    def __init__(self, schema: GraphQLSchema, rules: Collection[type[ASTValidationRule]]) -> None:
        self._schema = schema
        self._rules = rules
        # What does not hold raises, and is not kept: nobody can fill the store with it.
        self._kept = lru_cache(maxsize=KEPT_DOCUMENTS)(self._read)

    def read(self, text: str) -> DocumentNode:
        """A document that may be executed; raises `InvalidDocumentError`."""
        return self._kept(text) if len(text) <= KEPT_CHARACTERS else self._read(text)

    def _read(self, text: str) -> DocumentNode:
        try:
            document = parse(text)
        except GraphQLError as error:
            raise InvalidDocumentError([error]) from error
        if errors := validate(self._schema, document, rules=self._rules):
            raise InvalidDocumentError(errors)
        return document
