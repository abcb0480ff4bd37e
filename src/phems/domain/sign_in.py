"""The rules of signing in: names, passwords, secrets that stand for a user, and slowing down guessing."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from phems.domain.actors import LOCAL_OPERATOR, NODE
from phems.errors import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,126}", re.ASCII)
RESERVED = frozenset({LOCAL_OPERATOR.name, NODE.name})

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024  # hashing a megabyte would be a way to keep the node busy

TOKEN_PREFIX = "phems_"  # noqa: S105 (it marks a token as one, for people and for secret scanners)
TOKEN_LIFETIME = timedelta(days=90)
SESSION_LIFETIME = timedelta(hours=12)

FREE_FAILURES = 5
LONGEST_WAIT = timedelta(minutes=5)


def check_name(name: str) -> str:
    """A name that a user may have; InputError otherwise."""
    if NAME.fullmatch(name) is None or name in RESERVED:
        raise InputError(
            f"{name!r} cannot be a user's name.",
            why="a name has small letters, digits and . _ @ + -, 127 at most, and is not one of the node's "
            f"own ({', '.join(sorted(RESERVED))}).",
            remedy="Take another, such as ada or ada@example.org.",
        )
    return name


def check_password(password: str) -> str:
    """A password that may be set; InputError otherwise, which does not quote it."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InputError(
            "The password cannot be used.",
            why=f"it has {len(password)} characters, not {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}.",
            remedy="Take a few words that only you would put together.",
        )
    return password


def wait_after(failures: int, last_at: datetime, now: datetime) -> timedelta:
    """How long the next try has to wait: nothing for the first few, then twice as long after each."""
    if failures < FREE_FAILURES:
        return timedelta(0)
    # Capped before the power: an int of any size is fine, a timedelta is not.
    doubling = min(failures - FREE_FAILURES, 10)
    pause = min(timedelta(seconds=2**doubling), LONGEST_WAIT)
    return max(last_at + pause - now, timedelta(0))
