"""Storage in the node spec: where files lie that all machines of a node share, and released packages.

Unset, everything is a folder of this machine. With `s3`, what steps write and what is released lies in
buckets of an S3-compatible service, which every process of the node reaches.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from phems.nodespec.base import Section
from phems.nodespec.names import Bucket, PathText, StrictBool, StrictInt, refuse

_HTTPS = r"https://([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(:[1-9][0-9]{0,4})?/?"
_LOCAL = r"http://(localhost|127\.0\.0\.1|\[::1\])(:[1-9][0-9]{0,4})?/?"


def _endpoint(value: str) -> str:
    if re.fullmatch(f"{_HTTPS}|{_LOCAL}", value, re.ASCII) is None:
        raise refuse(
            f"{value[:80]!r} is not the address of an S3-compatible service",
            why="it is https without path or query; http is for a service on this machine alone",
            remedy="write it as in https://s3.hospital.example:9000",
        )
    return value.rstrip("/")


class S3(Section):
    """Buckets of an S3-compatible service."""

    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        default=None,
        description="The address of the service: https, or http for one on this machine; unset: that of AWS.",
    )
    region: str = Field(default="us-east-1", min_length=1, max_length=60, description="The buckets' region.")
    bucket: Bucket = Field(
        description="The bucket for what steps write, under a prefix for each project. It must be there."
    )
    release_bucket: Bucket | None = Field(
        default=None,
        description="The bucket that released packages are published to; unset: the folder release_zone.",
    )
    ca: PathText | None = Field(
        default=None,
        description="A file with the certificates that the service's is signed by, relative to node.yaml; "
        "unset: those that this machine trusts.",
    )
    credentials: Literal["env", "file"] = Field(
        default="env",
        description="env: found as AWS tools find them (environment variables, profile, role). file: in "
        "keys/s3-credentials in data_dir, in the form of AWS tools.",
    )
    object_lock_days: StrictInt | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="For how long each released file is locked (governance mode), in days; unset: not at "
        "all. The bucket must have object lock.",
    )
    purge: StrictBool = Field(
        default=False,
        description="Whether phems purge removes there, too, what a project's retention lets go; its "
        "credentials must be let delete then. Otherwise it is left to the bucket's lifecycle rules.",
    )
    retry_seconds: StrictInt = Field(
        default=60,
        ge=1,
        le=3600,
        description="How long the node tries again when the service does not answer, before a step or a "
        "release fails.",
    )

    @model_validator(mode="after")
    def _what_goes_with_what(self) -> Self:
        if self.release_bucket == self.bucket:
            raise refuse(
                f"{self.bucket} is the bucket for releases too",
                why="what is released must not lie with what is not",
                remedy="name a bucket of its own under release_bucket",
            )
        if self.object_lock_days is not None and self.release_bucket is None:
            raise refuse(
                "object_lock_days locks nothing",
                why="released files are locked, and there is no release_bucket",
                remedy="name the release_bucket, or take object_lock_days out",
            )
        if self.ca is not None and (self.endpoint or "").startswith("http://"):
            raise refuse(
                "ca is for https",
                why=f"{self.endpoint} is not",
                remedy="write https:// in endpoint, or take ca out",
            )
        return self


class Storage(Section):
    """Where files lie that all machines of the node share."""

    s3: S3 | None = Field(
        default=None,
        description="An S3-compatible service; unset: the folders data_dir and release_zone.",
    )
