"""The section `log` of node.yaml: in which form the node's processes tell what happens, on standard error."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from phems.nodespec.base import Section
from phems.nodespec.names import StrictBool


class Log(Section):
    """What the node's processes write to standard error; nothing of it is a secret, or of project code."""

    format: Literal["text", "json"] = Field(
        default="text", description="text: lines for people. json: one object a line, for programs."
    )
    requests: StrictBool = Field(
        default=False,
        description="Also a line for each request: method, route, status, how long it took.",
    )
