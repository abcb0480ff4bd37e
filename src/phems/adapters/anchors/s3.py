"""An anchor that is an S3 bucket with object lock: not even who may write there can take it back.

Each checkpoint is an object of its own, locked until a date. Without object lock the bucket refuses the
write, and so nothing pretends to be an anchor that is none. Versions are listed, not objects: a delete
marker hides an object from a plain list, and a checkpoint that somebody wants hidden is the one to be
found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from phems.adapters.anchors.folder import SUFFIX, file_name, named_checkpoint
from phems.domain.checkpoints import Checkpoint
from phems.errors import InputError, UnavailableError

LockMode = Literal["COMPLIANCE", "GOVERNANCE"]
SECONDS = 10
_LARGEST = 65_536


class S3Anchor:
    """`Anchor` over a bucket. Credentials are found as AWS tools find them: environment, profile, role."""

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str,
        endpoint: str | None,
        region: str | None,
        mode: LockMode,
        retain: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._endpoint = endpoint
        self._region = region
        self._mode = mode
        self._retain = retain
        self._now = now

    def submit(self, checkpoint: Checkpoint) -> None:
        """Put the checkpoint's object, locked; a second time makes a second version, which does no harm."""
        client = self._client
        with self._failures():
            client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + file_name(checkpoint.size),
                Body=str(checkpoint).encode(),
                ContentType="text/plain; charset=utf-8",
                ObjectLockMode=self._mode,
                ObjectLockRetainUntilDate=self._now() + self._retain,
            )

    def latest(self, known: int) -> Checkpoint | None:
        """The checkpoint with the largest size in its key, hidden ones included; its oldest version."""
        client = self._client
        with self._failures():
            # Keys sort as sizes do; begin before what is known, so that it is found again.
            start = {"KeyMarker": self._prefix + file_name(known - 1)} if known else {}
            pages = client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=self._prefix, **start
            )
            last: dict[str, Any] | None = None
            for page in pages:
                for version in page.get("Versions", ()):
                    # Within a key the newest version comes first: the last seen is the first written.
                    last = version if version["Key"].endswith(SUFFIX) else last
            if last is None:
                return None
            answer = client.get_object(Bucket=self._bucket, Key=last["Key"], VersionId=last["VersionId"])
            found = answer["Body"].read(_LARGEST)
        try:
            return named_checkpoint(last["Key"].removeprefix(self._prefix), found.decode())
        except ValueError as error:
            raise self._unavailable(f"{last['Key']} is not a checkpoint: {error}") from error

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise InputError(
                "An S3 anchor needs boto3, which is not installed.",
                why=str(error),
                remedy="pip install 'phems-node[node,s3]'",
            ) from error
        config = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"max_attempts": 2})
        return boto3.client("s3", endpoint_url=self._endpoint, region_name=self._region, config=config)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise self._unavailable(str(error)) from error

    def _unavailable(self, why: str) -> UnavailableError:
        return UnavailableError(
            f"The bucket {self._bucket} does not take checkpoints.",
            why=f"{why}.",
            remedy="See that it is there, has object lock, and that the credentials may PutObject, "
            "PutObjectRetention, ListBucketVersions and GetObjectVersion; then: phems audit anchor",
        )
