"""What the coordinator was told when the federation was agreed on: the study, the nodes and their keys.

`federation.json` in its folder:

    {"coefficients": ["intercept", "age"], "code_digest": "<hex>",
     "nodes": {"alder": {"url": "https://...", "project": "one-year-death", "public_key": "<base64>"}}}

The token for a node lies in `tokens/<node>`. Keys and tokens are given from hand to hand, and never fetched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phems.errors import InputError


@dataclass(frozen=True)
class Node:
    """One hospital's node, as the coordinator knows it."""

    name: str
    url: str
    project: str
    public_key: str
    token: str


@dataclass(frozen=True)
class Federation:
    """What was agreed on."""

    folder: Path
    coefficients: tuple[str, ...]
    code_digest: str
    nodes: tuple[Node, ...]


def read_federation(folder: Path) -> Federation:
    """What `folder` says; `InputError` when it says too little."""
    path = folder / "federation.json"
    try:
        found: Mapping[str, Any] = json.loads(path.read_text())
        nodes = tuple(
            Node(
                name,
                str(said["url"]).rstrip("/"),
                str(said["project"]),
                str(said["public_key"]),
                (folder / "tokens" / name).read_text().strip(),
            )
            for name, said in found["nodes"].items()
        )
        return Federation(folder, tuple(found["coefficients"]), str(found["code_digest"]), nodes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} does not say what was agreed on.",
            why=f"{type(error).__name__}: {error}",
            remedy="See the top of examples/federation/coordinator/federation.py for what it has to say.",
        ) from error
