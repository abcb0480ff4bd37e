"""What a reader does in an editor: put the YAML of standard input into a file, key by key."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def merge(into: MutableMapping[str, Any], new: MutableMapping[str, Any]) -> None:
    """Set what `new` says; mappings are merged, everything else is replaced."""
    for key, value in new.items():
        if isinstance(into.get(key), MutableMapping) and isinstance(value, MutableMapping):
            merge(into[key], value)
        else:
            into[key] = value


if __name__ == "__main__":
    yaml, file = YAML(), Path(sys.argv[1])
    document = yaml.load(file.read_text())
    merge(document, yaml.load(sys.stdin.read()))
    with file.open("w") as stream:
        yaml.dump(document, stream)
