"""What a node spec reads beside itself, and whoever starts the node must provide: variables, and files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from phems.nodespec import NodeSpec
from phems.nodespec.variables import variable_in


def variables_of(spec: NodeSpec) -> list[str]:
    """The names of all that is written as env:NAME, in order; what project code is given is plain text."""
    document = spec.model_dump(mode="json")
    for project in document["projects"].values():
        del project["environment"]
    return sorted(set(_named(document)))


def certificates_of(spec: NodeSpec) -> list[str]:
    """The files of certificates and keys that node.yaml names, as it names them."""
    tls, database, s3 = spec.gateway.tls, spec.database.tls, spec.storage.s3
    named = (
        *((tls.certificate, tls.key) if tls is not None else ()),
        *((database.ca, database.certificate, database.key) if database is not None else ()),
        spec.broker.ca if spec.broker is not None else None,
        s3.ca if s3 is not None else None,
        *(file for project in spec.projects.values() for file in project.code.files),
    )
    return list(dict.fromkeys(path for path in named if path is not None))


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
    elif isinstance(value, str) and (name := variable_in(value)) is not None:
        yield name
