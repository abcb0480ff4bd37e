"""OpenLineage events, held against the classes that are generated from the specification."""

from __future__ import annotations

import inspect
import json
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attr
from jsonschema import Draft202012Validator
from openlineage.client import event_v2, facet_v2
from openlineage.client.generated.base import RunEvent

from phems.domain.openlineage import OWN_SCHEMA

OWN = json.loads(
    (Path(__file__).parents[1] / "docs/reference/lineage-facets.json").read_text(encoding="utf-8")
)


def official(event: dict[str, Any]) -> Any:
    """The event, made of those classes; AssertionError for what the specification does not have."""
    assert event["schemaURL"] == RunEvent._get_schema()
    return _made(event_v2.RunEvent, {key: value for key, value in event.items() if key != "schemaURL"})


def _made(cls: Any, value: Any) -> Any:
    """An object of an attrs class, with every field of `value` in it."""
    assert isinstance(value, dict), f"{cls.__name__} is an object, and not {value!r}"
    hints, fields = get_type_hints(cls), {field.name: field for field in attr.fields(cls)}
    assert value.keys() <= fields.keys(), f"{cls.__name__} has no {sorted(value.keys() - fields.keys())}"
    given = {
        fields[key].alias: _of_type(hints[key], inner) for key, inner in value.items() if fields[key].init
    }
    return cls(**given)


def _of_type(hint: Any, value: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        [kind] = [each for each in inner if each is not NoneType]
        return _of_type(kind, value)
    if origin is list:
        assert isinstance(value, list)
        return [_of_type(inner[0], each) for each in value]
    if origin is dict:
        assert isinstance(value, dict)
        is_facets = inspect.isclass(inner[1]) and issubclass(inner[1], facet_v2.BaseFacet)
        return {key: _facet(each) if is_facets else _of_type(inner[1], each) for key, each in value.items()}
    if attr.has(hint):
        return _made(hint, value)
    if inspect.isclass(hint) and issubclass(hint, event_v2.RunState):
        return hint[value]
    assert isinstance(value, hint), f"{value!r} is no {hint.__name__}"
    return value


def _facet(value: Any) -> Any:
    where = value["_schemaURL"]
    if where.startswith(OWN_SCHEMA):
        name = where.rpartition("/")[2]
        schema = {**OWN, "$ref": f"#/$defs/{name}"}
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)
        return facet_v2.RunFacet(producer=value["_producer"])
    return _made(_classes()[where], value)


@cache
def _classes() -> dict[str, Any]:
    """Each facet's class by the address of its schema, which says its version too."""
    modules = (module for _, module in inspect.getmembers(facet_v2, inspect.ismodule))
    members = (each for module in modules for _, each in inspect.getmembers(module, inspect.isclass))
    return {each._get_schema(): each for each in members if issubclass(each, facet_v2.BaseFacet)}
