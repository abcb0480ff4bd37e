"""JSON as a tree that hides nothing: keys that come twice, numbers as they are written.

A node is `["object", [[key, node], ...]]`, `["array", [node, ...]]`, `["text", text]` or `["other", text]`.
"""

from __future__ import annotations

import json
from typing import Any

from phems.domain.file_views import FileView, ViewOrder
from phems.file_views.texts import text_view

MAX_BYTES = 4 << 20
MAX_NODES = 3000
MAX_DEPTH = 40
LONGEST_TEXT = 2000

Node = list[Any]


class _Written(str):
    """A number as it is written in the file."""

    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """An object's keys and values, in their order, each as often as it comes."""


def json_view(order: ViewOrder) -> FileView:
    """The tree; a file that is too large for one, or searched in, is shown as the text that it is."""
    if order.query.search or order.file.place.stat().st_size > MAX_BYTES:
        return text_view(order)
    try:
        value = json.loads(
            order.file.place.read_text(encoding="utf-8"),
            object_pairs_hook=_Pairs,
            parse_int=_Written,
            parse_float=_Written,
            parse_constant=_Written,
        )
        return FileView("json", tree=_node(value, [MAX_NODES], MAX_DEPTH))
    except (ValueError, RecursionError):
        return text_view(order)


def _node(value: Any, left: list[int], depth: int) -> Node:
    left[0] -= 1
    if left[0] < 0 or depth == 0:
        raise ValueError("more than a page can show")
    if isinstance(value, _Pairs):
        return ["object", [[key, _node(item, left, depth - 1)] for key, item in value]]
    if isinstance(value, list):
        return ["array", [_node(item, left, depth - 1) for item in value]]
    if isinstance(value, str) and not isinstance(value, _Written):
        return ["text", value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}..."]
    return ["other", value if isinstance(value, _Written) else json.dumps(value)]
