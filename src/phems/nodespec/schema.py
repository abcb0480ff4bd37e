"""The JSON Schema of node.yaml, made from the models: editors complete and check with it."""

from __future__ import annotations

from typing import Any

from phems.nodespec.models import NodeSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def node_schema() -> dict[str, Any]:
    """The schema as a plain dict, keys in the order of the models."""
    schema = NodeSpec.model_json_schema(mode="validation")
    # Unset, it is filled from the project's name: an empty default would say otherwise.
    del schema["$defs"]["Code"]["properties"]["module"]["default"]
    return {"$schema": DIALECT, **schema, "title": "PHEMS node spec"}
