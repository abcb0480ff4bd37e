"""A large object on its way, in parts: nobody sees it before it is complete."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from phems.adapters.s3 import failures
from phems.adapters.s3.patience import Patience

PART = 16 * 1024 * 1024
_MOST_PARTS = 10_000


class PartsUpload:
    """One multipart upload, begun when it is made. `kept` goes with the object: its digest, its lock."""

    def __init__(
        self, client: Any, patiently: Patience, bucket: str, key: str, size: int, kept: Mapping[str, Any]
    ) -> None:
        self._client = client
        self._patiently = patiently
        self._at = {"Bucket": bucket, "Key": key}
        self._size = max(PART, -(-size // _MOST_PARTS))
        self._rest = bytearray()
        self._parts: list[dict[str, Any]] = []
        begun = self._patiently(lambda: client.create_multipart_upload(**self._at, **kept))
        self._upload = str(begun["UploadId"])

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; sends a part when there are enough."""
        self._rest += chunk
        while len(self._rest) >= self._size:
            self._send(bytes(self._rest[: self._size]))
            del self._rest[: self._size]

    def flush(self) -> None:
        """Send what is left."""
        if self._rest:
            self._send(bytes(self._rest))
            self._rest.clear()

    def complete(self, **condition: str) -> None:
        """Make it an object."""
        self._patiently(
            lambda: self._client.complete_multipart_upload(
                **self._at, UploadId=self._upload, MultipartUpload={"Parts": self._parts}, **condition
            )
        )

    def abort(self) -> None:
        """Throw it away, if the service answers: else the bucket's lifecycle rule removes it."""
        with suppress(Exception):
            self._client.abort_multipart_upload(**self._at, UploadId=self._upload)

    def _send(self, body: bytes) -> None:
        number = len(self._parts) + 1
        sent = self._patiently(
            lambda: self._client.upload_part(
                **self._at, UploadId=self._upload, PartNumber=number, Body=body, ContentMD5=md5_of(body)
            )
        )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


def is_done_already(error: Exception) -> bool:
    """Whether the answer to an earlier try may have been lost: the upload is not there any more."""
    return failures.code_of(error) == "NoSuchUpload"


def md5_of(body: bytes) -> str:
    """What object lock asks for with each body."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
