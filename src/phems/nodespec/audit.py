"""The audit log in the node spec: its name, and who keeps its checkpoints out of the node's reach."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from phems.nodespec.base import Section
from phems.nodespec.names import Bucket, FromEnvironment, Name, PathText, StrictInt, matching, refuse

_ORIGIN = r"[^\s+\x00-\x1f]{1,200}"
_URL = r"https?://[^\s\x00-\x1f]{1,1000}"
_PREFIX = r"([A-Za-z0-9!_.*'()-]+/)*"


_origin = matching(
    _ORIGIN,
    what="{value} cannot name a log",
    why="the name stands in each checkpoint, and may hold neither spaces nor +",
    remedy="write it as an address without its scheme, such as hospital.example/node-a/audit",
    flags=re.UNICODE,
)
_url = matching(
    _URL,
    what="{value} is not an address of a web service",
    why="checkpoints are sent by http or https",
    remedy="write it as in https://witness.example/checkpoints",
    flags=re.UNICODE,
)
_prefix = matching(
    _PREFIX,
    what="{value} is not a prefix of keys",
    why="it is empty or folders that end with a slash",
    remedy="write it as in node-a/audit/",
    flags=re.UNICODE,
)


Origin = Annotated[str, AfterValidator(_origin), Field(json_schema_extra={"pattern": f"^{_ORIGIN}$"})]


class FolderAnchor(Section):
    """A folder that the node can add to, and somebody else keeps."""

    path: PathText = Field(description="The folder, relative to node.yaml. It must be there already.")


class WebhookAnchor(Section):
    """A web service that keeps what is sent to it."""

    url: Annotated[
        str, AfterValidator(_url), Field(description="Where each checkpoint is sent, by POST, as text.")
    ]
    token: FromEnvironment | None = Field(
        default=None, description="env:NAME of the variable that holds the bearer token; unset: none."
    )


class S3Anchor(Section):
    """A bucket with object lock."""

    bucket: Bucket = Field(description="The bucket's name.")
    prefix: Annotated[
        str, AfterValidator(_prefix), Field(description="What the objects' keys begin with.")
    ] = ""
    endpoint: Annotated[str, AfterValidator(_url)] | None = Field(
        default=None, description="The address of the service, when it is not that of AWS."
    )
    region: str | None = Field(default=None, min_length=1, max_length=60, description="The bucket's region.")
    lock: Literal["compliance", "governance"] = Field(
        default="compliance",
        description="compliance: nobody can remove a checkpoint. governance: who has a special right can.",
    )
    retain_days: StrictInt = Field(
        default=3650, ge=1, le=36_500, description="How long each checkpoint is locked, in days."
    )


class Anchor(Section):
    """One place out of the node's reach: one of folder, webhook and s3."""

    folder: FolderAnchor | None = Field(default=None, description="A folder that somebody else keeps.")
    webhook: WebhookAnchor | None = Field(default=None, description="A web service.")
    s3: S3Anchor | None = Field(default=None, description="An S3 bucket with object lock.")
    on_failure: Literal["refuse", "report"] = Field(
        default="report",
        description="refuse: while an entry is missing there for longer than `minutes`, no act is possible. "
        "report: it is told and recorded, and the node goes on.",
    )
    minutes: StrictInt = Field(
        default=15, ge=1, le=10_080, description="How long an entry may be missing there."
    )
    every_seconds: StrictInt = Field(
        default=60, ge=1, le=86_400, description="How long new entries wait to be handed over together."
    )

    @property
    def kind(self) -> str:
        """Which of the three it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        named = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(named) != 1:
            raise refuse(
                f"an anchor is one of {', '.join(_KINDS)}",
                why=f"this one names {' and '.join(named) or 'none'}",
                remedy="write one of them; give a second place a name of its own",
            )
        if self.on_failure == "refuse" and self.every_seconds > self.minutes * 60:
            raise refuse(
                "entries wait for longer than they may be missing",
                why="acts would be refused again and again",
                remedy="lower every_seconds, or raise minutes",
            )
        return self


_KINDS = ("folder", "webhook", "s3")


class Audit(Section):
    """The audit log."""

    origin: Origin | None = Field(
        default=None,
        description="The log's name in its checkpoints, for ever; unset: the node's name, then /audit.",
    )
    anchors: dict[Name, Anchor] = Field(
        default={},
        description="Places out of the node's reach that are given the log's checkpoints, by name.",
    )
