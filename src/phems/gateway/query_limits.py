"""How much one GraphQL document may ask: measured before anything of it is validated or executed.

Fragments are counted wherever they are spread, without being written out: a document of a few lines can
ask for millions of fields, and the measure of it is still made in one pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    parse,
    visit,
)

from phems.errors import InputError


@dataclass(frozen=True, slots=True)
class Measure:
    """What a document asks for, its fragments written out; also the limits on it."""

    depth: int = 0
    """How far fields lie within fields."""
    fields: int = 0
    """How many fields there are: what it costs at least, whatever the lists in it hold."""
    aliases: int = 0
    """How many fields are asked for under another name, as one must to ask for one twice."""
    roots: int = 0
    """How many fields the query itself has: each is a question of its own."""
    page: int = 0
    """The longest list that is asked for by a number (`limit`, `first`)."""
    operations: int = 0
    """How many operations the document has: one is executed."""


# The widest that Dagster's own pages ask for has 800 fields, 11 levels deep, and 3 aliases.
LIMITS = Measure(depth=24, fields=4000, aliases=150, roots=25, page=10_000, operations=10)
MAX_TOKENS = 20_000
_TOO_LONG = f"At most {MAX_TOKENS} words and signs are read."
WORDS: Mapping[str, str] = {
    "depth": "levels of fields within fields",
    "fields": "fields, its fragments written out",
    "aliases": "fields under another name",
    "roots": "questions at once",
    "page": "items of one list",
    "operations": "operations in one document",
}
PAGE_ARGUMENTS = frozenset({"limit", "first", "last"})


def check_query(text: str, variables: Mapping[str, Any] | None = None) -> None:
    """Raise InputError for a document that asks for too much. What is no GraphQL is for others to refuse."""
    excess, pages = _excess(text)
    given = [(variables or {}).get(name) for name in pages]
    if any(isinstance(number, int) and number > LIMITS.page for number in given):
        excess = _at_most("page")
    if excess:
        raise InputError(
            "The query asks for too much at once.",
            why=excess,
            remedy="Ask for less, or in several queries; lists come in pages (limit, cursor).",
        )


@lru_cache(maxsize=512)
def _excess(text: str) -> tuple[str, frozenset[str]]:
    """What is too much in a document, and the variables that say how long a list is to be."""
    try:
        document = parse(text, no_location=True, max_tokens=MAX_TOKENS)
        measure = measure_of(document)
    except RecursionError:
        return "Its parts lie too deep within one another.", frozenset()
    except GraphQLError as error:
        # What is not GraphQL is told by Dagster; this alone is not an error of syntax.
        return (_TOO_LONG if "tokens" in error.message else ""), frozenset()
    over = [name for name in WORDS if getattr(measure, name) > getattr(LIMITS, name)]
    asks = _PageVariables()
    visit(document, asks)
    return " ".join(_at_most(name) for name in over), frozenset(asks.names)


def _at_most(name: str) -> str:
    return f"At most {getattr(LIMITS, name)} {WORDS[name]} are answered."


class _PageVariables(Visitor):
    """The variables that are given as the length of a list."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        if node.name.value in PAGE_ARGUMENTS and isinstance(node.value, VariableNode):
            self.names.add(node.value.name.value)


def measure_of(document: DocumentNode) -> Measure:
    """The measure of a parsed document: of each kind the most that one of its operations asks."""
    fragments = {
        part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)
    }
    operations = [part for part in document.definitions if isinstance(part, OperationDefinitionNode)]
    measured = _Measured(fragments)
    found = [measured.of(operation.selection_set) for operation in operations]
    defaults = [_number(part.default_value) for each in operations for part in each.variable_definitions]
    return Measure(
        depth=max((one.depth for one in found), default=0),
        fields=max((one.fields for one in found), default=0),
        aliases=max((one.aliases for one in found), default=0),
        roots=max((one.roots for one in found), default=0),
        page=max([0, *defaults, *(one.page for one in found)]),
        operations=len(operations),
    )


def _number(value: object) -> int:
    return int(value.value) if isinstance(value, IntValueNode) else 0


class _Measured:
    """The measures of one document's selections; each fragment is measured once."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, Measure] = {}

    def of(self, selections: SelectionSetNode | None) -> Measure:
        """What a selection set asks for."""
        depth = fields = aliases = roots = page = 0
        for node in selections.selections if selections else ():
            one = self._of_node(node)
            depth = max(depth, one.depth)
            fields += one.fields
            aliases += one.aliases
            roots += one.roots
            page = max(page, one.page)
        return Measure(depth, fields, aliases, roots, page)

    def _of_node(self, node: object) -> Measure:
        if isinstance(node, FieldNode):
            below = self.of(node.selection_set)
            pages = [_number(part.value) for part in node.arguments if part.name.value in PAGE_ARGUMENTS]
            aliases = below.aliases + (node.alias is not None)
            return Measure(below.depth + 1, below.fields + 1, aliases, 1, max([below.page, *pages]))
        if isinstance(node, InlineFragmentNode):
            return self.of(node.selection_set)
        assert isinstance(node, FragmentSpreadNode)  # noqa: S101 (the one kind left)
        name = node.name.value
        if name not in self._known:
            # While it is being measured it counts as nothing: one that contains itself is refused later.
            self._known[name] = Measure()
            fragment = self._fragments.get(name)
            self._known[name] = self.of(fragment.selection_set) if fragment else Measure()
        return self._known[name]
