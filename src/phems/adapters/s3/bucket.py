"""One bucket: objects written whole or not at all, each body checked by the service, tried for a while.

Every body goes with its SHA-256 (in the signature) and its MD5 (object lock asks for it); the SHA-256 of
the whole object is kept with it, and what is read is held against that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from phems.adapters.s3 import failures
from phems.adapters.s3.parts import PART, PartsUpload, is_done_already, md5_of
from phems.adapters.s3.patience import Patience
from phems.domain.backups import BucketObject
from phems.errors import IntegrityError

T = TypeVar("T")

CHUNK = 1024 * 1024
_MOST_BREAKS = 5  # in a row, within one object
_SHA256 = "sha256"


@dataclass(frozen=True)
class Stored:
    """An object as the bucket has it. `sha256` is empty for one that the node did not write."""

    etag: str
    size: int
    sha256: str


class NameTakenError(Exception):
    """An object of that name is there already."""


class OtherBytesError(Exception):
    """What was to be stored is not what was announced: the file was replaced meanwhile."""


class ReplacedError(Exception):
    """The object is not the one any more that was asked for."""


class Bucket:
    """Objects of one bucket. `lock` gives what each new object is locked with, by S3's names."""

    def __init__(
        self,
        client: Any,
        name: str,
        *,
        seconds: float,
        lock: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._client = client
        self._name = name
        self._patiently = Patience(seconds, failures.is_worth_another_try)
        self._lock = lock

    def address(self, key: str = "") -> str:
        """What people call an object."""
        return f"s3://{self._name}/{key}"

    def check(self) -> None:
        """See that the bucket is there and may be used; asks once."""
        with self._told("The bucket cannot be used"):
            self._client.head_bucket(Bucket=self._name)

    def objects(self) -> Iterator[BucketObject]:
        """Every object as it is now, with its version where the bucket keeps versions."""
        for page in self._pages():
            for each in page.get("Versions", ()):
                if each["IsLatest"]:
                    version = each.get("VersionId", "null")
                    yield BucketObject(
                        key=each["Key"],
                        size=each["Size"],
                        etag=each["ETag"],
                        version="" if version == "null" else version,
                    )

    def children(self, prefix: str) -> Iterator[tuple[str, int | None]]:
        """What lies right below a prefix that ends with a slash: objects with their size, and folders."""
        which: dict[str, str] = {}
        with self._told("The bucket cannot be listed"):
            while True:
                found = self._patiently(
                    lambda: self._client.list_objects_v2(
                        Bucket=self._name, Prefix=prefix, Delimiter="/", **which
                    )
                )
                for each in found.get("CommonPrefixes", ()):
                    yield each["Prefix"].removeprefix(prefix).rstrip("/"), None
                for each in found.get("Contents", ()):
                    yield each["Key"].removeprefix(prefix), each["Size"]
                if not found.get("IsTruncated"):
                    return
                which["ContinuationToken"] = found["NextContinuationToken"]

    def measure(self, prefix: str) -> tuple[int, int]:
        """How many objects lie below a prefix, each version counted, and their bytes."""
        sizes = [each["Size"] for page in self._pages(prefix) for each in page.get("Versions", ())]
        return len(sizes), sum(sizes)

    def remove(self, prefix: str) -> None:
        """Remove every object below a prefix, in every version. Idempotent."""
        with self._told("The objects cannot be removed"):
            for page in self._pages(prefix):
                found = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
                names = [{"Key": each["Key"], "VersionId": each.get("VersionId", "null")} for each in found]
                if names:
                    self._delete(names)

    def _delete(self, names: Sequence[Mapping[str, str]]) -> None:
        """Delete what one page names: no more than one request takes."""
        from botocore.exceptions import ClientError

        answer = self._patiently(
            lambda: self._client.delete_objects(
                Bucket=self._name, Delete={"Objects": list(names), "Quiet": True}
            )
        )
        for refused in answer.get("Errors", ()):
            # The service answers 200, and says in the answer what it has not done.
            raise ClientError({"Error": {"Code": refused["Code"], "Message": ""}}, "DeleteObjects")

    def _pages(self, prefix: str = "") -> Iterator[Mapping[str, Any]]:
        """The versions of objects below a prefix, as the service lists them."""
        with self._told("The bucket cannot be listed"):
            which: dict[str, str] = {"Prefix": prefix} if prefix else {}
            while True:
                found = self._patiently(lambda: self._client.list_object_versions(Bucket=self._name, **which))
                yield found
                if not found.get("IsTruncated"):
                    return
                which["KeyMarker"] = found["NextKeyMarker"]
                which.pop("VersionIdMarker", None)
                if found.get("NextVersionIdMarker"):
                    which["VersionIdMarker"] = found["NextVersionIdMarker"]

    def look(self, key: str) -> Stored | None:
        """What is known of an object; None when it is not there."""
        with self._told("The object cannot be looked for"):
            try:
                found = self._patiently(lambda: self._client.head_object(Bucket=self._name, Key=key))
            except Exception as error:
                if not failures.is_missing(error):
                    raise
                # A HEAD does not say whether the object is missing or all of its bucket.
                self._patiently(lambda: self._client.head_bucket(Bucket=self._name))
                return None
            return _stored(found)

    def chunks(self, key: str, *, etag: str = "") -> Iterator[bytes]:
        """The bytes of an object, held against the SHA-256 that is kept with it.

        Raises `ReplacedError` when it is not, or no longer, the one with this ETag.
        """
        with self._told("The object cannot be read"):
            found = self._get(key, **({"IfMatch": etag} if etag else {}))
            expected, size = found["Metadata"].get(_SHA256, ""), found["ContentLength"]
            read, hasher, breaks = 0, hashlib.sha256(), 0
            while read < size:
                try:
                    chunk = found["Body"].read(CHUNK)
                except Exception as error:
                    breaks += 1
                    if breaks > _MOST_BREAKS or not failures.is_worth_another_try(error):
                        raise
                    # The rest is asked for, of the same bytes.
                    found = self._get(key, Range=f"bytes={read}-", IfMatch=found["ETag"])
                    continue
                read, breaks = read + len(chunk), 0
                hasher.update(chunk)
                yield chunk
        if expected and hasher.hexdigest() != expected:
            raise IntegrityError(
                f"The object {self.address(key)} is not what the node stored.",
                why=f"its SHA-256 is {hasher.hexdigest()}; stored was {expected}.",
                remedy="Find out who changed it: look at the service's access log",
            )

    def _get(self, key: str, **which: str) -> Any:
        try:
            return self._patiently(lambda: self._client.get_object(Bucket=self._name, Key=key, **which))
        except Exception as error:
            if failures.is_refused_condition(error):
                raise ReplacedError from error
            raise

    def put(self, key: str, body: bytes, *, new: bool = False) -> str:
        """Write a small object; its ETag. With `new`, raises `NameTakenError` when the name is taken."""
        kept = {"Metadata": {_SHA256: hashlib.sha256(body).hexdigest()}, **self._lock()}

        def send(**condition: str) -> Any:
            return self._patiently(
                lambda: self._client.put_object(
                    Bucket=self._name, Key=key, Body=body, ContentMD5=md5_of(body), **kept, **condition
                )
            )

        with self._told("The object cannot be written"):
            return str(self._conditionally(key, send, new=new)["ETag"])

    def passing(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        size: int,
        sha256: str,
        new: bool = False,
        on_stored: Callable[[str], None] = lambda _etag: None,
    ) -> Iterator[bytes]:
        """Pass the bytes on; when the last was taken, the object is in the bucket, and its ETag is told.

        When the reader stops early, or anything fails, there is no object. `sha256` is what the bytes hash
        to; empty for a size of one part, which is hashed here. Raises `OtherBytesError` when they are not of
        this size and digest.
        """
        if size <= PART:
            body = bytearray()
            for chunk in chunks:
                body += chunk
                if len(body) > size:  # not all of it in memory: who writes the file may be hostile
                    raise OtherBytesError
                yield chunk
            on_stored(self.put(key, bytes(body), new=new))
            return
        with self._told("The object cannot be written"):
            kept = {"Metadata": {_SHA256: sha256}, **self._lock()}
            upload = PartsUpload(self._client, self._patiently, self._name, key, size, kept)
            try:
                hasher = hashlib.sha256()
                for chunk in chunks:
                    hasher.update(chunk)
                    upload.add(chunk)
                    yield chunk
                upload.flush()
                _check_digest(hasher.hexdigest(), sha256)
                self._complete(key, upload, sha256, new=new)
            except BaseException:
                upload.abort()
                raise
            self.lock(key)
        # Not every service tells the ETag of an object that came in parts; another may be there meanwhile.
        done = self.look(key)
        if done is not None and done.sha256 == sha256:
            on_stored(done.etag)

    def lock(self, key: str) -> None:
        """Lock an object that is there: some services forget the lock of an object that came in parts."""
        lock = self._lock()
        if not lock:
            return
        retention = {
            "Mode": lock["ObjectLockMode"],
            "RetainUntilDate": lock["ObjectLockRetainUntilDate"],
        }
        with self._told("The object cannot be locked"):
            self._patiently(
                lambda: self._client.put_object_retention(Bucket=self._name, Key=key, Retention=retention)
            )

    def _complete(self, key: str, upload: PartsUpload, sha256: str, *, new: bool) -> None:
        def send(**condition: str) -> None:
            try:
                upload.complete(**condition)
            except Exception as error:
                done = self.look(key) if is_done_already(error) else None
                if done is None or done.sha256 != sha256:
                    raise

        self._conditionally(key, send, new=new)

    def _conditionally(self, key: str, send: Callable[..., T], *, new: bool) -> T:
        """Send a write that may not replace anything: look first, and add the service's own condition.

        Looking is not enough where two write at once, and the condition is not where a service has none, or
        forgets it for a bucket with versions (Ceph 16) or an object in parts.
        """
        if not new:
            return send()
        if self.look(key) is not None:
            raise NameTakenError
        try:
            return send(IfNoneMatch="*")
        except Exception as error:
            if failures.is_refused_condition(error):
                raise NameTakenError from error
            if not failures.is_unknown_condition(error):
                raise
        return send()

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise failures.told(doing, self.address(), error) from error


def _check_digest(found: str, announced: str) -> None:
    if found != announced:
        raise OtherBytesError


def _stored(found: Mapping[str, Any]) -> Stored:
    return Stored(found["ETag"], found["ContentLength"], found["Metadata"].get(_SHA256, ""))
