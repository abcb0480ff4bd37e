"""Reads YAML text into plain data, remembering the line of every key.

Only what YAML and JSON share is taken: mappings with text keys, lists, text, numbers, booleans,
dates, null. Tags, merge keys, keys that come twice and aliases that swell are problems, not
surprises; a broken value is left out of the data, so that the rest can still be checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from phems.nodespec.problems import Problem, dotted

Loc = tuple[str | int, ...]

# Far above any real node spec; stops a few lines of aliases from standing for millions of values.
MOST_VALUES = 100_000
MOST_DEPTH = 50
MOST_CHARACTERS = 5_000_000

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = frozenset(_PREFIX + name for name in ("null", "bool", "int", "float", "str", "timestamp"))


@dataclass(slots=True)
class Document:
    """`data` as plain Python, `lines` the 1-based line of each location, `problems` what was not read."""

    file: str
    data: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[Loc] = field(default_factory=list)
    """Locations whose value could not be used, and was left out of what is checked next."""
    values: int = 0

    def line(self, loc: Loc) -> int:
        """The line of a location, or of the nearest one around it that is written."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def is_doubtful(self, *locs: Loc) -> bool:
        """Whether something was left out at, around or inside one of these locations."""
        pairs = ((left, loc) for left in self.left_out for loc in locs)
        return any(left[: len(loc)] == loc[: len(left)] for left, loc in pairs)

    def report(self, loc: Loc, what: str, why: str, remedy: str, *, line: int | None = None) -> None:
        """Note a problem at a location."""
        self.problems.append(Problem(self.file, line or self.line(loc), dotted(loc), what, why, remedy))


def read_document(text: str, *, file: str) -> Document:
    """The document in `text`; never raises: whatever is wrong is in `problems`."""
    document = Document(file)
    if len(text) > MOST_CHARACTERS:
        document.report((), "is too long", f"it has {len(text)} characters", "write a few hundred lines")
        return document
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except (YAMLError, RecursionError, ValueError, AssertionError, IndexError) as error:
        _report_syntax(document, text, error)
        return document
    if root is None:
        document.report((), "is empty", "a node spec names its node and controller", "phems init writes one")
        return document
    document.lines[()] = root.start_mark.line + 1
    document.data = _Reader(document, yaml).value(root, (), ())
    return document


def _report_syntax(document: Document, text: str, error: Exception) -> None:
    line, why = 1, "it is nested too deeply, or not YAML at all"
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = min(mark.line, text.count("\n")) + 1 if mark is not None else 1
        why = " ".join(part for part in (error.problem, error.context) if part).replace("\n", " ") or why
    elif isinstance(getattr(error, "position", None), int):
        line = text.count("\n", 0, error.position) + 1  # type: ignore[attr-defined]
        why = "it holds a control character"
    remedy = "look at this line and the one above: indentation by spaces, a colon and a space after each key"
    document.report((), "is not YAML", why, remedy, line=line)


_LEFT_OUT = object()


class _Reader:
    """Walks YAML nodes; every method returns plain data or `_LEFT_OUT` after reporting why."""

    def __init__(self, document: Document, yaml: YAML) -> None:
        self._document = document
        self._construct = yaml.constructor.construct_object

    def value(self, node: Node, loc: Loc, around: tuple[int, ...]) -> Any:
        document = self._document
        document.values += 1
        too_much = document.values > MOST_VALUES or len(around) > MOST_DEPTH
        if too_much or id(node) in around:
            # Reported once: every value after the limit would say the same.
            if document.values <= MOST_VALUES + 1:
                document.report(
                    loc,
                    "is too large",
                    "an alias repeats what it stands in, or the file is nested too deeply",
                    "write the values out",
                    line=node.start_mark.line + 1,
                )
            return self._left_out(loc)
        around = (*around, id(node))
        if isinstance(node, MappingNode):
            return self._mapping(node, loc, around)
        if isinstance(node, SequenceNode):
            return self._sequence(node, loc, around)
        return self._scalar(node, loc)

    def _mapping(self, node: MappingNode, loc: Loc, around: tuple[int, ...]) -> Any:
        document = self._document
        data: dict[str, Any] = {}
        written: dict[str, int] = {}
        if node.tag != _PREFIX + "map":
            return self._tagged(node, loc)
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node, loc)
            if key is None:
                continue
            inner = (*loc, key)
            if key in written:
                document.report(
                    inner,
                    "is written twice",
                    f"line {written[key]} has it too",
                    "keep one",
                    line=line,
                )
                continue
            written[key] = document.lines[inner] = line
            value = self.value(value_node, inner, around)
            if value is not _LEFT_OUT:
                data[key] = value
        return data

    def _key(self, node: Node, loc: Loc) -> str | None:
        if isinstance(node, ScalarNode) and node.tag == _PREFIX + "str":
            return str(node.value)
        shown = str(node.value)[:40] if isinstance(node, ScalarNode) else "a list or mapping"
        merge = isinstance(node, ScalarNode) and node.value == "<<"
        self._document.report(
            loc,
            f"has the key {shown}",
            "merge keys are not taken here" if merge else "a key is text",
            "write the values out" if merge else f'write it in quotes ("{shown}"), if it is meant',
            line=node.start_mark.line + 1,
        )
        return None

    def _sequence(self, node: SequenceNode, loc: Loc, around: tuple[int, ...]) -> Any:
        if node.tag != _PREFIX + "seq":
            return self._tagged(node, loc)
        items = []
        complete = True
        for index, item in enumerate(node.value):
            inner = (*loc, index)
            self._document.lines[inner] = item.start_mark.line + 1
            value = self.value(item, inner, around)
            complete = complete and value is not _LEFT_OUT
            items.append(value)
        # A list with a hole would shift the numbers of what follows: leave it out as a whole.
        return items if complete else self._left_out(loc)

    def _scalar(self, node: Node, loc: Loc) -> Any:
        if node.tag not in _SCALARS:
            return self._tagged(node, loc)
        try:
            return self._construct(node)
        except (YAMLError, ValueError, TypeError, OverflowError, LookupError):
            kind = node.tag.removeprefix(_PREFIX).replace("timestamp", "date")
            shown = str(node.value)[:40]
            self._document.report(
                loc,
                f"{shown} is not a {kind}",
                "it only looks like one",
                "correct it, or write it in quotes",
            )
            return self._left_out(loc)

    def _tagged(self, node: Node, loc: Loc) -> Any:
        tag = str(node.tag).replace(_PREFIX, "!!")
        self._document.report(
            loc,
            f"has the tag {tag}",
            "a node spec holds plain values",
            "remove the tag",
            line=node.start_mark.line + 1,
        )
        return self._left_out(loc)

    def _left_out(self, loc: Loc) -> Any:
        self._document.left_out.append(loc)
        return _LEFT_OUT
