"""Turns pydantic's validation errors into what, why and remedy.

One row of `EXPLAINED` per kind of error; the texts are for the person who edits node.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from phems.nodespec.document import Loc
from phems.nodespec.models import NodeSpec

Explanation = tuple[str, str, str]
SEE_SCHEMA = "phems schema shows what it may be"


def explain(error: ErrorDetails) -> Explanation:
    """What, why and remedy of one validation error."""
    context: Mapping[str, Any] = error.get("ctx", {})
    if error["type"] == "phems":
        return str(context.get("what", error["msg"])), str(context["why"]), str(context["remedy"])
    row = EXPLAINED.get(error["type"])
    if row is None:
        return "is not valid", _lower(error["msg"]), SEE_SCHEMA
    return row(error, context)


def plain_loc(error: ErrorDetails) -> Loc:
    """Where the error is; pydantic marks a bad key of a mapping with a last part `[key]`."""
    loc = tuple(error["loc"])
    # A key that somebody wrote as `[key]` is refused as one too many, and is where it is.
    return loc[:-1] if loc[-1:] == ("[key]",) and error["type"] != "extra_forbidden" else loc


def known_keys(loc: Loc) -> list[str]:
    """The keys that the mapping at `loc` may have; empty when it takes any name."""
    kind: Any = NodeSpec
    for part in loc:
        if _is_model(kind):
            field = kind.model_fields.get(str(part))
            kind = None if field is None else _without_none(field.annotation)
        else:
            # dict[Name, Project] and tuple[DataGrant, ...] both hold one model among their arguments.
            kind = next(filter(_is_model, get_args(kind)), None)
    return list(kind.model_fields) if _is_model(kind) else []


def _without_none(kind: Any) -> Any:
    """`Oidc` for `Oidc | None`: a section that may be unset has keys all the same."""
    return next(filter(_is_model, get_args(kind)), kind) if get_origin(kind) in (UnionType, Union) else kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value)[:60]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _expects(kind: str, remedy: str) -> Callable[[ErrorDetails, Mapping[str, Any]], Explanation]:
    def row(error: ErrorDetails, _: Mapping[str, Any]) -> Explanation:
        return f"is not {kind}", f"it is {_shown(error['input'])}", remedy

    return row


def _missing(error: ErrorDetails, _: Mapping[str, Any]) -> Explanation:
    return "is missing", "it has no default", f"add `{error['loc'][-1]}:` here; {SEE_SCHEMA}"


def _unknown(error: ErrorDetails, _: Mapping[str, Any]) -> Explanation:
    loc = tuple(error["loc"])
    known = known_keys(loc[:-1])
    near = get_close_matches(str(loc[-1]), known, n=1, cutoff=0.6)
    remedy = f"did you mean {near[0]}?" if near else "remove it"
    return "is not a key of a node spec", f"the keys here are {', '.join(known)}", remedy


def _one_of(error: ErrorDetails, context: Mapping[str, Any]) -> Explanation:
    expected = str(context.get("expected", ""))
    choices = expected.replace("'", "").replace(" or ", ", ").split(", ")
    near = get_close_matches(str(error["input"]), choices, n=1)
    return (
        f"is {_shown(error['input'])}",
        f"it can be {expected}",
        f"did you mean {near[0]}?" if near else "write one of these",
    )


def _limit(words: str, key: str) -> Callable[[ErrorDetails, Mapping[str, Any]], Explanation]:
    def row(error: ErrorDetails, context: Mapping[str, Any]) -> Explanation:
        return f"is {_shown(error['input'])}", f"it must be {words} {context.get(key)}", "change the number"

    return row


def _length(words: str, key: str) -> Callable[[ErrorDetails, Mapping[str, Any]], Explanation]:
    def row(_: ErrorDetails, context: Mapping[str, Any]) -> Explanation:
        return f"is too {words}", f"the limit is {context.get(key)}", "change it"

    return row


_MAPPING = _expects("a mapping", "write keys under it, indented, as in `name: value`")
_LIST = _expects("a list", "write it as [one, two], or one per line after a dash")
_TEXT = _expects("text", "write it in quotes")
_NUMBER = _expects("a whole number", "write digits, without quotes")

EXPLAINED: Mapping[str, Callable[[ErrorDetails, Mapping[str, Any]], Explanation]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _one_of,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "string_type": _TEXT,
    "int_type": _NUMBER,
    "int_from_float": _NUMBER,
    "bool_type": _expects("true or false", "write true or false, without quotes"),
    "greater_than_equal": _limit("at least", "ge"),
    "less_than_equal": _limit("at most", "le"),
    "string_too_short": _length("short", "min_length"),
    "string_too_long": _length("long", "max_length"),
    "too_short": _length("short", "min_length"),
}
