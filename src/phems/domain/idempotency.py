"""Idempotency keys: a caller's own name for one act, so that the act sent twice is done once.

The header, and what it means, are those of the IETF draft (draft-ietf-httpapi-idempotency-key-header). A key
is a caller's: the same word of two people is two keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from phems.errors import InputError

KEPT_FOR = timedelta(days=1)
LONGEST_KEY = 255
KEY_PATTERN = f"[A-Za-z0-9._~:+/=-]{{1,{LONGEST_KEY}}}"

# The draft has a quoted string (RFC 9651); most clients send the word as it is. Both are one key.
_GIVEN = re.compile(f'"(?P<quoted>{KEY_PATTERN})"|(?P<plain>{KEY_PATTERN})', re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to act under a key. `holder` is new for each try: what another has taken over is no more."""

    caller: str
    key_hash: str
    holder: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What an act was answered with; `body` is None when it held a secret, which is not kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


def parse_key(given: Sequence[str]) -> str:
    """The key of the headers of a request; InputError when it is none."""
    match = _GIVEN.fullmatch(given[0]) if len(given) == 1 else None
    if match is None:
        raise InputError(
            "The Idempotency-Key cannot be used.",
            why=f"it is one word of 1 to {LONGEST_KEY} letters, digits and . _ ~ : + / = - , given once.",
            remedy="Make a new one for each act, such as a UUID.",
        )
    return match["quoted"] or match["plain"]
