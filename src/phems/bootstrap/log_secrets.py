"""The node's own secrets, as far as they can be read now: what its log must not hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from phems.nodespec import NodePaths, NodeSpec
from phems.render.environment import variables_of

_IN_A_KEY_FILE = re.compile(r"[\w+/=.-]{16,}")
_FILE = "file:"


def secrets_of(spec: NodeSpec, paths: NodePaths, environ: Mapping[str, str]) -> Iterator[str]:
    """What node.yaml reads as env:NAME and file:PATH, passwords within addresses, and the node's keys."""
    places = (
        _text(paths.resolve(place.removeprefix(_FILE))) for place in _files(spec.model_dump(mode="json"))
    )
    for secret in (*(environ.get(name, "") for name in variables_of(spec)), *places):
        yield secret
        with suppress(ValueError):  # not an address
            yield urlsplit(secret).password or ""
    yield from keys_in(paths.keys)


def keys_in(folder: Path) -> Iterator[str]:
    """What the files of the node's keys hold; public ones are none."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and "pub" not in path.name:
            yield from _IN_A_KEY_FILE.findall(_text(path))


def _files(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _files(inner)
    elif isinstance(value, str) and value.startswith(_FILE):
        yield value


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""
