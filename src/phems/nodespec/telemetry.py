"""The section `telemetry` of node.yaml: who is told of traces."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from phems.nodespec.base import Section
from phems.nodespec.names import matching

_COLLECTOR = (
    r"https?://([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?(/[\w./-]*)?"
)

CollectorUrl = Annotated[
    str,
    AfterValidator(
        matching(
            _COLLECTOR,
            what="{value} is no address of a collector",
            why="spans go to it by OTLP over HTTP, without a user, a password or a query",
            remedy="write it in full, as in http://127.0.0.1:4318/v1/traces",
        )
    ),
]


class Telemetry(Section):
    """Traces of requests, runs and steps, for a collector of the node's own. They need the extra otel."""

    otlp: CollectorUrl | None = Field(
        default=None, description="Where it takes spans by OTLP over HTTP; unset: none are made."
    )
