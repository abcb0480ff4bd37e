"""What the API server of a cluster may answer that is no object: who can go on, and after what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from phems.errors import ConflictError, NotFoundError, PhemsError, RefusedError, UnavailableError

_SHOWN = 300
REMEDIES: Mapping[int, str] = {
    401: "The worker's credentials are not taken: see its service account, or its kubeconfig.",
    403: "Let the worker's service account handle Jobs, Secrets and pods in the project's namespace.",
    404: "Make the project's namespace, as phems render manifests writes it.",
    413: "Make the manifest smaller: fewer variables under environment.",
    422: "phems check looks at node.yaml; what it cannot know, such as classes of the cluster, stands above.",
}
OTHERWISE = "See the audit log of the cluster."
LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class ClusterAwayError(UnavailableError):
    """No answer, or one that says: later. `retry_after` is in seconds, where it was told."""

    def __init__(self, what: str, *, why: str = "", retry_after: float | None = None) -> None:
        super().__init__(what, why=why, remedy="See whether the cluster's API server is well.")
        self.retry_after = retry_after


class ClusterRefusedError(RefusedError):
    """It will not do this, now or later."""


class NameTakenError(ConflictError):
    """There is an object of that name already."""


class ObjectGoneError(NotFoundError):
    """There is no such object."""


class TooOldError(PhemsError):
    """A watch cannot be resumed from so long ago: begin with a list."""


def error_of(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> PhemsError:
    """The error that an answer stands for; `body` is a Status of the API server, or what a proxy says."""
    asked = f"{method} {path}"
    why = f"{status}: {_message(body)}"
    if status == HTTPStatus.CONFLICT:
        return NameTakenError(f"{asked}: there is one already.", why=why)
    if status == HTTPStatus.GONE:
        return TooOldError(f"{asked}: too old.", why=why)
    if status == HTTPStatus.NOT_FOUND and method != "POST":
        return ObjectGoneError(f"{asked}: it is not there.", why=why)
    if status in LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ClusterAwayError(
            f"The cluster did not do {asked}.", why=why, retry_after=_seconds(headers.get("Retry-After"))
        )
    return ClusterRefusedError(
        f"The cluster refused {asked}.",
        why=why,
        remedy=REMEDIES.get(status, OTHERWISE),
    )


def _message(body: bytes) -> str:
    try:
        status: Any = json.loads(body)
        return str(status["message"])[:_SHOWN]
    except (ValueError, TypeError, KeyError):
        return body[:_SHOWN].decode(errors="replace")


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
