"""The environment variables that a node spec reads: whoever starts the node must set them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from phems.nodespec import NodeSpec

_FROM = "env:"


def variables_of(spec: NodeSpec) -> list[str]:
    """The names of all that is written as env:NAME, in order; what project code is given is plain text."""
    document = spec.model_dump(mode="json")
    for project in document["projects"].values():
        del project["environment"]
    return sorted(set(_named(document)))


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
    elif isinstance(value, str) and value.startswith(_FROM):
        yield value.removeprefix(_FROM)
