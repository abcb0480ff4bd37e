"""What an author declares of a table, so that the node can check it: its kind, dimensions, counts.

A declaration crosses the wall as a plain dict and is frozen with the file. It is the author's word:
checks hold it against the file, and a table without one is never passed without a person looking.

    {"kind": "frequency", "dimensions": ["sex", "stage"], "count": "patients", "unit": "patients",
     "population": "registry 2024", "totals": "Total", "suppressed": "*"}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from phems.errors import InputError

MAX_DECLARATION_BYTES = 16 * 1024

KINDS = ("frequency", "magnitude", "regression", "survival", "other")


@dataclass(frozen=True)
class Field:
    """One key of a declaration: what it must be, and what people are told when it is not."""

    fits: Callable[[Any], bool]
    must_be: str
    default: Any = None


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(text, str) for text in value)


def _whole_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _optional(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _contributors(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) <= {"count", "largest"}
        and _optional(_text)(value.get("count"))
        and _texts(value.get("largest", []))
    )


def _model(value: Any) -> bool:
    names = {"residual_dof", "parameters", "observations"}
    return isinstance(value, Mapping) and set(value) <= names and all(map(_whole_number, value.values()))


_COLUMN = "the name of a column"
_COLUMNS = "a list of names of columns"

FIELDS: Mapping[str, Field] = {
    "kind": Field(KINDS.__contains__, f"one of {', '.join(KINDS)}", "other"),
    "dimensions": Field(_texts, _COLUMNS, ()),
    "count": Field(_optional(_text), f"{_COLUMN}: how many units are behind each row"),
    "value": Field(_optional(_text), f"{_COLUMN}: the sum or mean of a magnitude table"),
    "contributors": Field(_optional(_contributors), f"{{'count': {_COLUMN}, 'largest': {_COLUMNS}}}"),
    "totals": Field(_optional(_text), "what stands in a dimension of a row of totals, such as 'Total'"),
    "suppressed": Field(_optional(_text), "what stands in a suppressed cell, such as '' or '*'"),
    "unit": Field(_text, "what is counted, such as 'patients'", "patients"),
    "population": Field(_text, "the name of the population; tables of one population are compared", ""),
    "links": Field(_texts, "a list of names of outputs that share cells with this one", ()),
    "model": Field(
        _optional(_model), "{'residual_dof': ..., 'parameters': ..., 'observations': ...}, whole numbers"
    ),
}


def checked_declaration(value: Any) -> dict[str, Any]:
    """The declaration with every key, defaults filled in; raises `InputError` naming what is wrong."""
    if not isinstance(value, Mapping):
        raise _wrong("the declaration is no dict")
    unknown = [str(key) for key in value if key not in FIELDS]
    if unknown:
        raise _wrong(f"it has no key {unknown[0][:40]!r}; its keys are {', '.join(FIELDS)}")
    whole = {key: value.get(key, field.default) for key, field in FIELDS.items()}
    for key, field in FIELDS.items():
        if not field.fits(whole[key]):
            raise _wrong(f"{key} must be {field.must_be}")
    try:
        text = json.dumps(whole)
    except (TypeError, ValueError) as error:
        raise _wrong(str(error)) from error
    if len(text) > MAX_DECLARATION_BYTES:
        raise _wrong(f"it is longer than {MAX_DECLARATION_BYTES:,} bytes")
    plain: dict[str, Any] = json.loads(text)
    return plain


def _wrong(why: str) -> InputError:
    return InputError(
        "The declaration of a table is not usable.",
        why=why,
        remedy='Write it as in disclosure={"kind": "frequency", "dimensions": ["sex"], "count": "patients"}',
    )
