"""Rendered files as YAML, in one form."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

WIDTH = 200
"""Wide: a line that is broken in the middle of a value is hard to read, and to search for."""


def yaml_text(document: Any) -> str:
    """One document."""
    return _text(_yaml(), [document])


def yaml_documents(documents: Sequence[Any]) -> str:
    """Several, each behind its mark, and each complete: nothing in one refers to another."""
    yaml = _yaml()
    yaml.representer.ignore_aliases = lambda *_: True
    yaml.explicit_start = True
    return _text(yaml, documents)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = WIDTH
    return yaml


def _text(yaml: YAML, documents: Sequence[Any]) -> str:
    written = StringIO()
    yaml.dump_all(documents, written)
    return written.getvalue()
