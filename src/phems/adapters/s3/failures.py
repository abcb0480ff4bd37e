"""What an S3-compatible service refuses, as errors that say what to do; and what is worth another try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phems.errors import InputError, PhemsError, UnavailableError

_RIGHTS = (
    "Give the node's user GetObject, PutObject, AbortMultipartUpload and ListBucket on the bucket, and "
    "PutObjectRetention for object lock, to whoever purges DeleteObject and DeleteObjectVersion; see "
    "docs/how-to/store-files-on-s3.md"
)
_CREDENTIALS = "Set the credentials that storage.s3.credentials in node.yaml names, then start the node again"


@dataclass(frozen=True)
class _Known:
    why: str
    remedy: str


_NO_BUCKET = _Known(
    "there is no such bucket.", "Make the bucket, or name another under storage.s3 in node.yaml"
)
_BY_CODE: Mapping[str, _Known] = {
    "NoSuchBucket": _NO_BUCKET,
    "404": _NO_BUCKET,  # the answer to a HEAD has no words; that of an object is no failure
    "NoSuchKey": _Known("the object is not there.", "Find out who removed it: see the service's access log"),
    "AccessDenied": _Known("the node's user may not do that.", _RIGHTS),
    "InvalidAccessKeyId": _Known("the service does not know the access key.", _CREDENTIALS),
    "SignatureDoesNotMatch": _Known("the secret key is not the one of the access key.", _CREDENTIALS),
    "ExpiredToken": _Known("the credentials have expired.", _CREDENTIALS),
    "RequestTimeTooSkewed": _Known(
        "the clocks of this machine and of the service are too far apart.",
        "Set this machine's clock: timedatectl status; and look at the service's",
    ),
    "QuotaExceeded": _Known("the quota of the bucket is used up.", "Raise it, or remove what is not needed"),
    "InvalidBucketState": _Known(
        "the bucket's state does not allow it.", "Look at its versioning and object lock"
    ),
    "InvalidRequest": _Known(
        "it does not take such a request; a bucket without object lock refuses objects with a lock.",
        "Make the bucket anew with object lock, or take object_lock_days out of node.yaml",
    ),
}
_BY_STATUS: Mapping[int, str] = {403: "AccessDenied"}
_AGAIN_CODES = frozenset(
    {
        *("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling"),
        *("OperationAborted", "ConditionalRequestConflict"),
        # The body was damaged on its way: what the service took is not what was sent.
        *("BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"),
    }
)
_AGAIN_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


def code_of(error: Exception) -> str:
    """The service's word for what went wrong; empty for what never reached it."""
    answer: Any = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """The HTTP status; 0 for what never reached the service."""
    answer: Any = getattr(error, "response", None) or {}
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_missing(error: Exception) -> bool:
    """Whether the object is not there (or its bucket: a HEAD does not say which)."""
    return code_of(error) in {"NoSuchKey", "NotFound", "404"}


def is_refused_condition(error: Exception) -> bool:
    """Whether the condition of a request did not hold."""
    return code_of(error) == "PreconditionFailed" or status_of(error) == 412  # noqa: PLR2004


def is_unknown_condition(error: Exception) -> bool:
    """Whether the service does not know conditional writes."""
    return code_of(error) == "NotImplemented" or status_of(error) == 501  # noqa: PLR2004


def is_worth_another_try(error: Exception) -> bool:
    """Whether the same request may do in a moment."""
    from botocore import exceptions

    if isinstance(error, exceptions.SSLError):
        return False
    never_answered = (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
        exceptions.ResponseStreamingError,
    )
    if isinstance(error, never_answered):
        return True
    return code_of(error) in _AGAIN_CODES or status_of(error) in _AGAIN_STATUSES


def told(doing: str, place: str, error: Exception) -> PhemsError:
    """The error of the tree; `doing` is a clause in the past, `place` the bucket at its service."""
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError, SSLError

    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return InputError(f"{doing}: {place}.", why="there are no credentials for it.", remedy=_CREDENTIALS)
    if isinstance(error, SSLError):
        why = f"its certificate is not trusted ({_first_line(error)})."
        return UnavailableError(f"{doing}: {place}.", why=why, remedy="Name its CA under storage.s3.ca")
    status, code = status_of(error), code_of(error)
    known = _BY_CODE.get(code) or _BY_CODE.get(_BY_STATUS.get(status, ""))
    if known is not None:
        return UnavailableError(f"{doing}: {place}.", why=known.why, remedy=known.remedy)
    if status:
        why = f"it answers {status} {code}."
        return UnavailableError(f"{doing}: {place}.", why=why, remedy="Look at the service's own log")
    return UnavailableError(
        f"{doing}: {place}.",
        why=f"the service does not answer ({_first_line(error)}).",
        remedy="See that it runs and can be reached from here, then do it again",
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
