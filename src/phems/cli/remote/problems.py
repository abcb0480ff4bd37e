"""Problem details (RFC 9457) of a node, as the errors that they were made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phems.errors import (
    InputError,
    IntegrityError,
    NotFoundError,
    PhemsError,
    RefusedError,
    UnavailableError,
)

PROBLEM_TYPE = "application/problem+json"
UNAUTHORIZED, TOO_MANY = 401, 429

KINDS: Mapping[str, type[PhemsError]] = {
    "input": InputError,
    "refused": RefusedError,
    "not_found": NotFoundError,
    "unavailable": UnavailableError,
    "integrity": IntegrityError,
}


def error_of(problem: Mapping[str, Any], *, url: str) -> PhemsError:
    """The error that a node tells."""
    if problem.get("status") == UNAUTHORIZED:
        return not_signed_in(str(problem.get("why", "")), url=url)
    return rebuilt(problem)


def rebuilt(told: Mapping[str, Any]) -> PhemsError:
    """An error of our tree from its words."""
    kind = KINDS.get(str(told.get("kind")), PhemsError)
    what = str(told.get("what") or told.get("title") or "The node could not answer.")
    return kind(what, why=str(told.get("why", "")), remedy=str(told.get("remedy", "")))


def not_signed_in(why: str, *, url: str) -> RefusedError:
    """The node does not know who acts."""
    return RefusedError("The node does not accept the token.", why=why, remedy=f"phems login {url}")
