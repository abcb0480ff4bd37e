"""Who people are, in the node spec: how long a sign-in lasts."""

from __future__ import annotations

from pydantic import Field

from phems.nodespec.base import Section
from phems.nodespec.names import StrictInt


class Sessions(Section):
    """How long somebody stays signed in to the gateway."""

    idle_minutes: StrictInt = Field(
        default=60, ge=1, le=10_080, description="A session that is not used for so long ends."
    )
    hours: StrictInt = Field(
        default=12, ge=1, le=720, description="A session ends after so long, however much it is used."
    )


class Identity(Section):
    """Who people are."""

    sessions: Sessions = Field(default=Sessions(), description="How long somebody stays signed in.")
