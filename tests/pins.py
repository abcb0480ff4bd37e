"""Pins of private Dagster names: what each looked like when the code that uses it was written.

`python -m tests.pins` writes the two files of pins anew. Do that after an upgrade of Dagster only when
every use of a changed name has been looked at; the test that compares them names those that changed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
from enum import Enum
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILES = {
    "phems.engine._dagster": HERE / "unit/engine/dagster_pins.json",
    "phems.host._dagster": HERE / "unit/host/dagster_pins.json",
}


def pins_of(module_name: str) -> dict[str, str]:
    """For each name that a module takes from Dagster: where it lies, and its shape in a few words."""
    module = importlib.import_module(module_name)
    source = Path(str(module.__file__)).read_text()
    pins = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dagster"):
            for alias in node.names:
                name = f"{node.module}:{alias.name}"
                pins[name] = _shape(getattr(module, alias.asname or alias.name))
    return dict(sorted(pins.items()))


def _shape(value: Any) -> str:
    if isinstance(value, type) and issubclass(value, Enum):
        return f"enum {_short(sorted(value.__members__))}"
    if isinstance(value, type):
        methods = {
            name: _parameters(member)
            for base in value.__mro__
            if base.__module__.startswith("dagster")
            for name, member in vars(base).items()
            if not name.startswith("_")
            and (callable(member) or isinstance(member, (property, classmethod, staticmethod)))
        }
        return f"class {_parameters(value)} members {_short(sorted(methods.items()))}"
    if callable(value):
        return f"function {_parameters(value)}"
    return f"value {_short(sorted(map(str, value)) if isinstance(value, set | frozenset) else value)}"


def _parameters(value: Any) -> str:
    # Dagster compiles the constructor of a record at its first use.
    if fields := getattr(value, "__record_annotations__", None):
        return ", ".join(fields)
    try:
        return ", ".join(inspect.signature(getattr(value, "__func__", value)).parameters)
    except (TypeError, ValueError):
        return "?"


def _short(value: object) -> str:
    if isinstance(value, str):
        return value
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:12]


if __name__ == "__main__":
    for module_name, file in FILES.items():
        file.write_text(json.dumps(pins_of(module_name), indent=2) + "\n")
