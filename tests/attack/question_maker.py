"""Every question that a GraphQL schema knows: each root field with arguments, and as much below as is let."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

MAX_FIELDS = 400
MAX_ALIASES = 120
# Below a root field: those to which Dagster gives an error, which would take all around them from the
# answer. The first two need an argument that the schema does not ask for; the next two are not known of a
# job whose assets have different partitions, those of an asset node not of one without partitions, and the
# cursor is never given, though the schema says so. When a sensor ticks next is told by the clock: two answers
# about the same one differ.
LEFT_OUT = {
    ("SolidHandle", "stepStats"),
    ("PartitionBackfill", "partitionsTargetedForAssetKey"),
    ("Job", "partitionKeysOrError"),
    ("Pipeline", "partitionKeysOrError"),
    ("AssetNode", "dataVersionByPartition"),
    ("AssetNode", "staleStatusByPartition"),
    ("AssetNode", "staleCausesByPartition"),
    ("InstigationEventConnection", "cursor"),
    ("Sensor", "nextTick"),
}


@dataclass
class _Node:
    """A selection set in the making."""

    kind: GraphQLNamedType
    path: tuple[str, ...]
    is_member: bool = False
    parts: dict[str, _Node | None] = field(default_factory=dict)

    def text(self) -> str:
        if is_leaf_type(self.kind):
            return ""
        below = (f"{part} {node.text()}" if node else part for part, node in self.parts.items())
        return "{ " + " ".join(["__typename", *below]) + " }"


@dataclass(frozen=True)
class Question:
    """A query or mutation of one root field."""

    name: str
    text: str
    variables: dict[str, Any]


class QuestionMaker:
    """Makes the questions; `words` gives the value of an argument or input field by its name."""

    _selections: ClassVar[dict[str, str]] = {}
    """Those that were made: they take long, and do not depend on the words."""

    def __init__(self, schema: GraphQLSchema, words: Mapping[str, Any]) -> None:
        self._schema = schema
        self._words = words

    def question(self, name: str, *, only_required: bool = False, kind: str = "query") -> Question:
        """The one of this field, of the queries or of the mutations."""
        roots = self._schema.mutation_type if kind == "mutation" else self._schema.query_type
        assert roots
        root = roots.fields[name]
        arguments = {
            key: argument.type
            for key, argument in root.args.items()
            if is_required_argument(argument) or not only_required
        }
        declared = ", ".join(f"${key}: {kind}" for key, kind in arguments.items())
        passed = ", ".join(f"{key}: ${key}" for key in arguments)
        if name not in self._selections:
            self._selections[name] = self._widest(root)
        head = f"{kind} Q({declared})" if declared else f"{kind} Q"
        call = f"{name}({passed})" if passed else name
        variables = {key: self._value(key, kind, 0) for key, kind in arguments.items()}
        return Question(name, f"{head} {{ {call} {self._selections[name]} }}", variables)

    def _widest(self, field: GraphQLField) -> str:
        """As much below a field as is let, level by level; no type within itself."""
        root = _Node(get_named_type(field.type), ())
        fields, aliases = MAX_FIELDS, MAX_ALIASES
        waiting = deque([root])
        while waiting:
            node = waiting.popleft()
            for name, label, below in self._parts(node):
                if fields <= 0 or (label != name and aliases <= 0):
                    break
                fields -= 1
                aliases -= label != name
                node.parts[label if label == name else f"{label}: {name}"] = below
                if below is not None:
                    waiting.append(below)
        return root.text()

    def _parts(self, node: _Node) -> Iterator[tuple[str, str, _Node | None]]:
        kind, path = node.kind, (*node.path, node.kind.name)
        if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
            for member in self._schema.get_possible_types(kind):
                yield (spread := f"... on {member.name}"), spread, _Node(member, path, is_member=True)
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            return
        leaves_first = sorted(
            kind.fields.items(), key=lambda pair: not is_leaf_type(get_named_type(pair[1].type))
        )
        for name, part in leaves_first:
            inner = get_named_type(part.type)
            if any(is_required_argument(argument) for argument in part.args.values()):
                continue
            if (kind.name, name) in LEFT_OUT:
                continue
            # A label of its own: two members of a union may call different things by one name.
            label = f"{kind.name}_{name}" if node.is_member else name
            if is_leaf_type(inner):
                yield name, label, None
            elif inner.name not in path:
                yield name, label, _Node(inner, path)

    def _value(self, name: str, kind: Any, depth: int) -> Any:
        if isinstance(kind, GraphQLNonNull):
            return self._value(name, kind.of_type, depth)
        if name in self._words:
            return self._words[name]
        if isinstance(kind, GraphQLList):
            return [self._value(name, kind.of_type, depth)]
        if isinstance(kind, GraphQLEnumType):
            return next(iter(kind.values))
        if isinstance(kind, GraphQLInputObjectType):
            return {
                key: self._value(key, field.type, depth + 1)
                for key, field in kind.fields.items()
                if is_required_input_field(field) or key in self._words
            }
        return {"Int": 5, "Float": 1.0, "Boolean": True}.get(kind.name, "x")
